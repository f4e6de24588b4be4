import { setTimeout as sleep } from 'node:timers/promises'
import { isPlimsollError, type PlimsollError } from '../../core/errors.ts'
import { randomToken } from '../../core/random-token.ts'
import type { FileStore, StoredObject } from '../contract.ts'
import { gathered } from '../file-body.ts'
import { imageError } from './image-error.ts'

/** How long the right to make something holds; nobody may take longer to make it. */
const leaseMs = 120_000
/** Clocks of machines differ by so much at most. */
const skewMs = 10_000
/** The longest that something may be made in. */
export const mostMakingMs = leaseMs - skewMs
const pollMs = { first: 25, most: 500 }

interface Held {
  readonly until: number
  readonly token: string
}

/**
 * The object under a key; when there is none, one of all processes that share the store makes it, and the others wait for that. The right
 * to is an object beside it, which is taken over when its holder has died.
 *
 * @throws what `make` throws, where it ran; PLIMSOLL_IMAGE_TIMEOUT when the right to make it ended first; PLIMSOLL_IMAGES_BUSY when it is not
 *   there in time
 */
export async function madeOnce(
  store: FileStore,
  key: string,
  make: (signal: AbortSignal) => Promise<StoredObject>,
): Promise<StoredObject> {
  const deadline = Date.now() + leaseMs
  const lease = `${key}.lease`
  for (let wait = pollMs.first; ; wait = Math.min(wait * 1.5, pollMs.most)) {
    const there = await store.head(key)
    if (there !== undefined) return there
    const held = await take(store, lease)
    if (held !== undefined) {
      const late = new AbortController()
      const end = (): void =>
        late.abort(imageError('PLIMSOLL_IMAGE_TIMEOUT', `The image was not made within ${mostMakingMs} ms.`))
      const timer = setTimeout(end, Math.max(1, held.until - Date.now() - skewMs))
      try {
        // Whoever had it before may have been done in between.
        return (await store.head(key)) ?? (await make(late.signal))
      } finally {
        clearTimeout(timer)
        await giveBack(store, lease, held)
      }
    }
    if (Date.now() > deadline)
      throw imageError('PLIMSOLL_IMAGES_BUSY', 'Another process makes the image, and takes long.')
    await sleep(wait * (0.5 + Math.random() / 2))
  }
}

/** Takes the right, if nobody has it, or whoever had it has been silent for too long. */
async function take(store: FileStore, lease: string): Promise<Held | undefined> {
  const held: Held = { until: Date.now() + leaseMs, token: randomToken() }
  const body = Buffer.from(JSON.stringify(held))
  const facts = { type: 'application/json', cacheControl: 'no-store' }
  try {
    await store.put(lease, body, { ...facts, ifAbsent: true })
    return held
  } catch (error) {
    if (!isPlimsollError(error, 'PLIMSOLL_FILE_EXISTS')) throw error
  }
  try {
    const { stream, etag } = await store.get(lease)
    const before = parse(await gathered(stream))
    if (before !== undefined && before.until + skewMs > Date.now()) return undefined
    await store.put(lease, body, { ...facts, ifMatch: etag })
    return held
  } catch (error) {
    // Somebody has given it back, or was quicker to take it over.
    if (isGone(error)) return undefined
    throw error
  }
}

/** Gives the right back, if it is still ours. */
async function giveBack(store: FileStore, lease: string, { token }: Held): Promise<void> {
  try {
    const { stream } = await store.get(lease)
    if (parse(await gathered(stream))?.token === token) await store.delete([lease])
  } catch {
    // It ends by itself.
  }
}

function parse(bytes: Buffer): Held | undefined {
  try {
    const { until, token } = JSON.parse(bytes.toString()) as Partial<Held>
    return typeof until === 'number' && typeof token === 'string' ? { until, token } : undefined
  } catch {
    return undefined
  }
}

function isGone(error: unknown): error is PlimsollError {
  return isPlimsollError(error, 'PLIMSOLL_FILE_NOT_FOUND') || isPlimsollError(error, 'PLIMSOLL_FILE_CHANGED')
}
