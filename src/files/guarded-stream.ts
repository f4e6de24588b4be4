import { Readable } from 'node:stream'

/** What a stream from a server has to keep to. */
export interface StreamGuard {
  /** How many bytes it has to have. */
  readonly bytes: number
  /** How long it may leave a reader who waits without any. A reader who does not want more may take their time. */
  readonly idleMs: number
  readonly signal?: AbortSignal | undefined
  /** The error for a stream that fails, ends early or stops; `cause` says how. */
  toError(cause: unknown): unknown
}

const bufferSize = 256 * 1024

/** A stream with the bytes of another one, which ends after all of them or fails: a connection that breaks must not look like an end. */
export function guardStream(source: Readable, { bytes, idleMs, signal, toError }: StreamGuard): Readable {
  let left = bytes
  const fail = (cause: unknown): void => {
    stream.destroy((signal?.aborted ? signal.reason : toError(cause)) as Error)
  }
  let timer: NodeJS.Timeout | undefined
  const wait = (): void => {
    timer ??= setTimeout(() => fail(new Error(`No bytes came for ${idleMs} ms.`)), idleMs).unref()
    timer.refresh()
  }
  const rest = (): void => {
    clearTimeout(timer)
    timer = undefined
  }
  const stream = new Readable({
    highWaterMark: bufferSize,
    read() {
      wait()
      source.resume()
    },
    destroy(error, done) {
      rest()
      signal?.removeEventListener('abort', abort)
      source.destroy()
      done(error)
    },
  })
  // Whoever reads it is told. Nobody does before it is handed on, and what fails then must not end the process.
  stream.on('error', () => {})
  const abort = (): void => fail(undefined)
  if (signal?.aborted) abort()
  else signal?.addEventListener('abort', abort, { once: true })
  source
    .on('data', (chunk: Buffer) => {
      left -= chunk.length
      wait()
      if (left < 0) return fail(new Error('It has more bytes than it should.'))
      if (stream.push(chunk)) return
      source.pause()
      rest()
    })
    .on('end', () => {
      if (left > 0) return fail(new Error(`It ended ${left} bytes too early.`))
      stream.push(null)
    })
    .on('error', fail)
    .on('close', () => {
      if (left > 0) fail(new Error(`It was closed ${left} bytes too early.`))
    })
  source.pause()
  return stream
}
