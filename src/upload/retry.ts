/** An answer that says no for good. */
export class UploadError extends Error {
  override readonly name = 'UploadError'
  /** Of the answer; 0 when there was none. */
  readonly status: number
  /** Its problem document, if it had one. */
  readonly problem: Readonly<Record<string, unknown>> | undefined

  constructor(message: string, status: number, problem?: Readonly<Record<string, unknown>>) {
    super(message)
    this.status = status
    this.problem = problem
  }
}

/** Whether another try may help: the connection broke, or the server is busy or away. */
export function mayPass(status: number): boolean {
  return status === 0 || status === 408 || status === 423 || status === 425 || status === 429 || status >= 500
}

/** Whether the answer is about who asks, or whether he may still, and not about what he asks. */
export function mayNot(status: number): boolean {
  return status === 401 || status === 403
}

/** Waits before the next try: twice as long each time up to half a minute, and at random, so that not all come back together. */
export function backOff(attempt: number, signal: AbortSignal): Promise<void> {
  const ms = Math.min(30_000, 500 * 2 ** attempt) * (0.5 + Math.random() / 2)
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      clearTimeout(timer)
      reject(signal.reason as Error)
    }
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', abort)
      resolve()
    }, ms)
    if (signal.aborted) abort()
    else signal.addEventListener('abort', abort, { once: true })
  })
}
