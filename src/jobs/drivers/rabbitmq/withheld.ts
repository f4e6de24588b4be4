import type { DeliveredMessage } from './shelf.ts'

/** Messages that are done with and not acknowledged, so that the broker sends no more for them. */
export class Withheld {
  #messages: { readonly message: DeliveredMessage; readonly since: number }[] = []

  get size(): number {
    return this.#messages.length
  }

  add(jobs: readonly { readonly message: DeliveredMessage }[]): void {
    const since = performance.now()
    for (const { message } of jobs) this.#messages.push({ message, since })
  }

  /** Forgets what came over this channel, or one before it. */
  drop(channel: number): void {
    this.#messages = this.#messages.filter(({ message }) => message.channel > channel)
  }

  /** Takes those that were withheld longer ago than that. */
  take(ms: number): readonly { readonly message: DeliveredMessage }[] {
    const before = performance.now() - ms
    const old = this.#messages.filter(({ since }) => since <= before)
    if (old.length > 0) this.#messages = this.#messages.filter(({ since }) => since > before)
    return old
  }
}
