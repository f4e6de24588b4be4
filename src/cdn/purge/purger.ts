import { setTimeout as sleep } from 'node:timers/promises'
import { backoffMs } from '../../core/backoff.ts'
import { errorText } from '../../core/error-text.ts'
import { isPlimsollError, PlimsollError } from '../../core/errors.ts'
import { events } from '../../core/events.ts'
import type { CdnProvider, PurgeOptions } from '../contract.ts'
import type { PurgeAnswer, PurgeApi, PurgeRequest } from './purge-api.ts'
import { retryAfterMs } from './retry-after.ts'
import { sendRequest, type SentAnswer } from './send-request.ts'
import { TokenBucket } from './token-bucket.ts'

/** How long a purge goes on, with its waiting and its tries. An outbox gives its carriers 30 s. */
const budgetMs = 25_000
/** Providers answer within a second. */
const answerMs = 8000
const mostTries = 5
const backoff = { firstMs: 300, mostMs: 5000 }

/** What a purge has taken so far. */
interface Tally {
  requests: number
}

/** Purges things of one kind at one provider. */
export class Purger {
  readonly #provider: CdnProvider
  readonly #by: 'tags' | 'urls'
  readonly #api: PurgeApi
  readonly #bucket: TokenBucket
  readonly #closed: AbortSignal
  /** When the provider asked not to be asked before, by `performance.now()`. */
  #notBefore = 0

  constructor(parts: { provider: CdnProvider; by: 'tags' | 'urls'; api: PurgeApi; closed: AbortSignal }) {
    this.#provider = parts.provider
    this.#by = parts.by
    this.#api = parts.api
    this.#bucket = new TokenBucket(parts.api.rate)
    this.#closed = parts.closed
  }

  /**
   * Drops things, each once. `things` are spelled as the provider has them.
   *
   * @throws PLIMSOLL_CDN_UNREACHABLE, PLIMSOLL_CDN_REFUSED, or the reason of the signal
   */
  async purge(things: readonly string[], { signal }: PurgeOptions = {}): Promise<void> {
    const all = [...new Set(things)]
    if (all.length === 0) return
    const began = performance.now()
    const ends = began + budgetMs
    const tally: Tally = { requests: 0 }
    let failure: unknown
    try {
      for (const chunk of chunksOf(all, this.#api)) {
        await this.#turn(this.#api.rate.of === 'thing' ? chunk.length : 0, ends, signal)
        await this.#drop(chunk, { ends, tally, signal })
      }
    } catch (error) {
      failure = error
      throw error
    } finally {
      if (events.hasSubscribers) {
        const refused = isPlimsollError(failure, 'PLIMSOLL_CDN_REFUSED')
        events.publish({
          type: 'cdn.purge',
          provider: this.#provider,
          by: this.#by,
          items: all.length,
          requests: tally.requests,
          outcome: failure === undefined ? 'done' : refused ? 'refused' : 'failed',
          durationMs: performance.now() - began,
          ...(failure !== undefined && { error: failure instanceof Error ? failure.message : String(failure) }),
        })
      }
    }
  }

  /** Asks for one chunk until it is done. */
  async #drop(
    chunk: readonly string[],
    { ends, tally, signal }: { readonly ends: number; readonly tally: Tally; readonly signal: AbortSignal | undefined },
  ): Promise<void> {
    let last: unknown
    for (let tries = 1; ; tries++) {
      try {
        // Signed anew for each try: signatures hold for minutes.
        for (const request of await this.#requests(chunk, signal)) {
          if (this.#api.rate.of === 'request') await this.#turn(1, ends, signal)
          tally.requests++
          await this.#send(request, signal)
        }
        return
      } catch (error) {
        const passing = isPlimsollError(error, 'PLIMSOLL_CDN_UNREACHABLE')
        // That there is no time for another try says less than what the last one met.
        if (passing && error.details.final) throw last ?? error
        if (!passing || tries >= mostTries) throw error
        last = error
        const waitMs = Math.max(backoffMs(tries, backoff), this.#notBefore - performance.now())
        if (performance.now() + waitMs > ends) throw error
        await this.#wait(waitMs, signal)
      }
    }
  }

  async #requests(chunk: readonly string[], signal: AbortSignal | undefined): Promise<readonly PurgeRequest[]> {
    try {
      return await this.#api.requests(chunk, this.#within(signal))
    } catch (error) {
      throw isPlimsollError(error) ? error : this.#unreachable(error)
    }
  }

  async #send(request: PurgeRequest, signal: AbortSignal | undefined): Promise<void> {
    const within = this.#within(signal)
    let answer: SentAnswer
    try {
      answer = await sendRequest(request, within)
    } catch (error) {
      signal?.throwIfAborted()
      throw this.#unreachable(within.aborted ? within.reason : error)
    }
    const { accepts = isDone, retries = isPassing } = this.#api
    if (accepts(answer)) return
    // Varnish sends it with what it has done, too.
    const waitMs = retryAfterMs(answer.retryAfter)
    if (waitMs !== undefined) this.#notBefore = performance.now() + waitMs
    if (retries(answer)) throw this.#unreachable(new Error(`It answered ${answer.status}.`), answer)
    throw new PlimsollError(
      'PLIMSOLL_CDN_REFUSED',
      `${this.#provider} refused a purge with status ${answer.status}: ${answer.body.slice(0, 300) || 'it said nothing more'}`,
      { details: { provider: this.#provider, status: answer.status } },
    )
  }

  /** Waits for the rate, and for what the provider asked for. */
  async #turn(tokens: number, ends: number, signal: AbortSignal | undefined): Promise<void> {
    const now = performance.now()
    const asked = Math.max(0, this.#notBefore - now)
    const waitMs = tokens === 0 ? 0 : this.#bucket.take(tokens, ends - now)
    if (waitMs === undefined || Math.max(waitMs, asked) > ends - now) {
      throw this.#unreachable(new Error('More is to be purged than the provider takes now.'), undefined, true)
    }
    if (Math.max(waitMs, asked) > 0) await this.#wait(Math.max(waitMs, asked), signal)
    if (this.#closed.aborted) throw this.#unreachable(this.#closed.reason, undefined, true)
  }

  async #wait(ms: number, signal: AbortSignal | undefined): Promise<void> {
    const aborted = signal === undefined ? this.#closed : AbortSignal.any([signal, this.#closed])
    try {
      await sleep(ms, undefined, { signal: aborted })
    } catch {
      signal?.throwIfAborted()
      throw this.#unreachable(this.#closed.reason, undefined, true)
    }
  }

  #within(signal: AbortSignal | undefined): AbortSignal {
    return AbortSignal.any([this.#closed, AbortSignal.timeout(answerMs), ...(signal === undefined ? [] : [signal])])
  }

  #unreachable(cause: unknown, answer?: PurgeAnswer, final = this.#closed.aborted): PlimsollError {
    const retryMs = Math.max(0, Math.ceil(this.#notBefore - performance.now()))
    const said = answer === undefined || answer.body === '' ? '' : ` It said: ${answer.body.slice(0, 300)}`
    return new PlimsollError(
      'PLIMSOLL_CDN_UNREACHABLE',
      `${this.#provider} did not purge: ${causeText(cause)}${said}`,
      {
        cause,
        details: { provider: this.#provider, retryMs, final, ...(answer && { status: answer.status }) },
      },
    )
  }
}

function isDone({ status }: PurgeAnswer): boolean {
  return status >= 200 && status < 300
}

function isPassing({ status }: PurgeAnswer): boolean {
  return status === 408 || status === 425 || status === 429 || status >= 500
}

/** What `fetch` says of a connection stands in its cause. */
function causeText(error: unknown): string {
  return errorText(error instanceof Error && error.message === 'fetch failed' ? (error.cause ?? error) : error)
}

function* chunksOf(things: readonly string[], { most, mostCharacters = Infinity }: PurgeApi): Generator<string[]> {
  let chunk: string[] = []
  let characters = 0
  for (const thing of things) {
    if (chunk.length === most || (chunk.length > 0 && characters + thing.length > mostCharacters)) {
      yield chunk
      chunk = []
      characters = 0
    }
    chunk.push(thing)
    characters += thing.length
  }
  yield chunk
}
