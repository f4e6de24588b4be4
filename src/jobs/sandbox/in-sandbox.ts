import type { JobWorker } from '../types.ts'

/** Known to every copy of this package in the process. */
const mark = Symbol.for('plimsoll.sandbox')

/** True in the process of a sandbox, where nothing but its job runs: no worker, and no schedules. */
export function inSandbox(): boolean {
  return Object.hasOwn(globalThis, mark)
}

/** Makes this process one of a sandbox. */
export function enterSandbox(): void {
  Object.defineProperty(globalThis, mark, { value: true })
}

/** What an application gets in a sandbox that asks for a worker, as those do that are opened by the module of a job. */
export const idleWorker: JobWorker = Object.freeze<JobWorker>({
  close: async () => {},
  [Symbol.asyncDispose]: async () => {},
})
