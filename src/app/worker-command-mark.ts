/** Known to every copy of this package in the process: the command may be another one than the application's. */
const mark = Symbol.for('plimsoll.worker')

/** True where `plimsoll worker` runs the jobs: the application itself begins no worker then, which would take them from all queues. */
export function hasWorkerCommand(): boolean {
  return Object.hasOwn(globalThis, mark)
}

/** Makes this process one of `plimsoll worker`, before its application is opened. */
export function enterWorkerCommand(): void {
  Object.defineProperty(globalThis, mark, { value: true })
}
