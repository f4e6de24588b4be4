/**
 * Something that runs when it is awaited, as JavaScript values, or when `json()` is called, as JSON bytes. Each way of
 * asking runs once, however often it is asked.
 */
export class LazyResult<T, J> implements PromiseLike<T> {
  readonly #asValue: () => Promise<T>
  readonly #asJson: () => Promise<J>
  #value: Promise<T> | undefined
  #json: Promise<J> | undefined

  constructor(asValue: () => Promise<T>, asJson: () => Promise<J>) {
    this.#asValue = asValue
    this.#asJson = asJson
  }

  // oxlint-disable-next-line unicorn/no-thenable -- being awaitable is what a result is for
  then<A = T, B = never>(
    onFulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return (this.#value ??= this.#asValue()).then(onFulfilled, onRejected)
  }

  /** The same as JSON bytes, without making the value. */
  json(): Promise<J> {
    return (this.#json ??= this.#asJson())
  }
}
