import { problemOf, type Problem } from '../problem.ts'

/** The streams of events that are open in this process: so many, and no more of one owner than his share. */
export class EventStreams {
  readonly #most: number
  readonly #mostOfOne: number
  readonly #open = new Set<AbortController>()
  readonly #ofOwner = new Map<string, number>()
  #closed = false

  constructor({ most, mostOfOne }: { readonly most: number; readonly mostOfOne: number }) {
    this.#most = most
    this.#mostOfOne = mostOfOne
  }

  /** Why there can be no more of them; undefined when there can. */
  refusal(owner: string): Problem | undefined {
    if (this.#closed) return problemOf(503, 'The service is closing. Try again: another instance may answer.')
    if ((this.#ofOwner.get(owner) ?? 0) >= this.#mostOfOne)
      return problemOf(429, `You follow ${this.#mostOfOne} jobs at a time already. Close one of the streams.`)
    return this.#open.size >= this.#most ? problemOf(503) : undefined
  }

  /** Opens one: its signal aborts when it has to end, and `close` says that it has. */
  open(owner: string): { readonly signal: AbortSignal; readonly close: () => void } {
    const controller = new AbortController()
    this.#open.add(controller)
    this.#ofOwner.set(owner, (this.#ofOwner.get(owner) ?? 0) + 1)
    const close = (): void => {
      if (!this.#open.delete(controller)) return
      const left = this.#ofOwner.get(owner)! - 1
      if (left === 0) this.#ofOwner.delete(owner)
      else this.#ofOwner.set(owner, left)
      controller.abort()
    }
    return { signal: controller.signal, close }
  }

  /** Ends all of them; there are no more. */
  close(): void {
    this.#closed = true
    for (const controller of this.#open) controller.abort()
  }
}
