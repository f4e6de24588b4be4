import { fork, type ChildProcess } from 'node:child_process'

interface Reply {
  readonly id: number
  readonly value?: unknown
  readonly error?: string
}

/** A process of the bench that answers one request at a time over Node's IPC. */
export interface Worker<Request> extends AsyncDisposable {
  readonly pid: number
  ask(request: Request): Promise<unknown>
  /** Ends the process and waits until it is gone. */
  close(): Promise<void>
}

/** Starts a worker; it dies with the bench, for its IPC channel closes then. Rejects what it is asked after it has died. */
export function startWorker<Request>(
  file: URL,
  options: { readonly name: string; readonly args?: readonly string[]; readonly execArgv?: readonly string[] },
): Worker<Request> {
  const child: ChildProcess = fork(file, [...(options.args ?? [])], {
    execArgv: [...(options.execArgv ?? [])],
    serialization: 'advanced',
  })
  const waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>()
  const exited = new Promise<void>((resolve) => {
    child.once('exit', (code, signal) => {
      for (const { reject } of waiting.values()) reject(new Error(`${options.name} ended early (${code ?? signal})`))
      waiting.clear()
      resolve()
    })
  })
  child.on('message', (message) => {
    const { id, value, error } = message as Reply
    const asked = waiting.get(id)
    waiting.delete(id)
    if (error === undefined) asked?.resolve(value)
    else asked?.reject(new Error(`${options.name}: ${error}`))
  })
  let next = 0
  const close = async (): Promise<void> => {
    if (child.connected) child.disconnect()
    const killer = setTimeout(() => child.kill('SIGKILL'), 5000)
    await exited
    clearTimeout(killer)
  }
  return {
    pid: child.pid!,
    ask: (request) =>
      new Promise((resolve, reject) => {
        if (!child.connected) return reject(new Error(`${options.name} is not running`))
        const id = next++
        waiting.set(id, { resolve, reject })
        child.send({ id, request })
      }),
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** The other side: answers every request with what `handle` resolves to. Exits when the bench is gone. */
export function serveWorker<Request>(handle: (request: Request) => Promise<unknown>): void {
  process.on('disconnect', () => process.exit(0))
  process.on('message', (message) => {
    const { id, request } = message as { id: number; request: Request }
    handle(request).then(
      (value) => process.send!({ id, value }),
      (error: unknown) =>
        process.send!({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
    )
  })
}
