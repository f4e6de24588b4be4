import { slowestBytesPerMs } from './bucket-url.ts'
import { orAborted } from './file-body.ts'
import { storageUnreachable } from './file-errors.ts'

/** What a call of a storage is given time for. */
export interface CallTime {
  /** The storage, for messages. */
  readonly name: string
  readonly timeoutMs: number
  /** How many bytes go with it, which take time of their own. */
  readonly bytes: number
  readonly signal: AbortSignal | undefined
}

/**
 * What a call comes to within its time. Its signal aborts when that is over, and with `signal`.
 *
 * @throws PLIMSOLL_STORAGE_UNREACHABLE; the reason of `signal`; what `call` throws
 */
export async function answeredWithin<T>(
  { name, timeoutMs, bytes, signal: given }: CallTime,
  call: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const withinMs = timeoutMs + bytes / slowestBytesPerMs
  const late = new AbortController()
  const reason = `It did not answer within ${Math.round(withinMs)} ms.`
  const timer = setTimeout(() => late.abort(storageUnreachable(name, { reason, cause: reason })), withinMs)
  const signal = given === undefined ? late.signal : AbortSignal.any([given, late.signal])
  try {
    return await orAborted(call(signal), signal)
  } catch (error) {
    if (signal.aborted) throw signal.reason
    throw error
  } finally {
    clearTimeout(timer)
  }
}
