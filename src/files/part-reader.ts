/** Bytes that come in chunks of any size, taken in parts. */
export class PartReader {
  readonly #source: AsyncIterator<Buffer>
  #chunks: Buffer[] = []
  #size = 0
  #ended = false

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]()
  }

  /** The next `size` bytes, or what is left; `last` when nothing follows, which is known as soon as one more chunk has come. */
  async next(size: number): Promise<{ readonly bytes: Buffer; readonly last: boolean }> {
    while (!this.#ended && this.#size <= size) {
      const { done, value } = await this.#source.next()
      if (done === true) this.#ended = true
      else this.#add(value)
    }
    const all = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks, this.#size)
    this.#chunks = []
    this.#size = 0
    if (all.length > size) this.#add(all.subarray(size))
    return { bytes: all.subarray(0, size), last: this.#ended && this.#size === 0 }
  }

  /** Ends the source before its end. */
  async end(): Promise<void> {
    if (!this.#ended) await this.#source.return?.()
  }

  #add(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#size += chunk.length
  }
}
