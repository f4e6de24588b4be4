import { AsyncLocalStorage } from 'node:async_hooks'
import type { Postgres, Subscription } from '../../postgres/index.ts'

const channel = 'plimsoll_flows'
/** An id has 36 characters, a notification 8000. */
const mostIds = 200
/** What was not heard is seen by then. */
const lookMs = 1000

/** Tells those who wait for workflows that they have ended, here and in other processes. */
export class FlowNews {
  readonly #postgres: Postgres
  readonly #waiting = new Map<string, Set<() => void>>()
  readonly #outside = AsyncLocalStorage.snapshot()
  #subscription: Promise<Subscription | undefined> | undefined

  constructor(postgres: Postgres) {
    this.#postgres = postgres
  }

  /** Resolves when a workflow has ended, or it is time to look whether it has. */
  async wait(
    id: string,
    { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal?: AbortSignal | undefined },
  ): Promise<void> {
    if (this.#postgres.engine === 'postgres') this.#listen()
    const { promise, resolve } = Promise.withResolvers<void>()
    const waiting = this.#waiting.get(id) ?? new Set()
    this.#waiting.set(id, waiting.add(resolve))
    const timer = setTimeout(resolve, Math.min(timeoutMs, lookMs))
    const end = (): void => resolve()
    signal?.addEventListener('abort', end)
    await promise
    signal?.removeEventListener('abort', end)
    clearTimeout(timer)
    waiting.delete(resolve)
    if (waiting.size === 0) this.#waiting.delete(id)
    signal?.throwIfAborted()
  }

  /** These have ended; not waited for by anybody. */
  tell(ids: readonly string[]): void {
    if (ids.length === 0) return
    this.#hear(ids)
    if (this.#postgres.engine !== 'postgres') return
    for (let at = 0; at < ids.length; at += mostIds) {
      const payload = ids.slice(at, at + mostIds).join()
      this.#outside(() => this.#postgres.notify(channel, payload)).catch(() => {})
    }
  }

  async close(): Promise<void> {
    for (const waiting of this.#waiting.values()) for (const resolve of waiting) resolve()
    const subscription = await this.#subscription
    await subscription?.close().catch(() => {})
  }

  #hear(ids: readonly string[]): void {
    for (const id of ids) for (const resolve of this.#waiting.get(id) ?? []) resolve()
  }

  #listen(): void {
    this.#subscription ??= this.#outside(() =>
      this.#postgres.listen(channel, (payload) => this.#hear(payload.split(',')), { keepAlive: false }),
    ).catch(() => undefined)
  }
}
