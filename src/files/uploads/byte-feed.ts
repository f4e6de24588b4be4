/** Bytes that are handed out by the piece, however they come. */
export class ByteFeed {
  readonly #source: AsyncIterator<Uint8Array>
  #rest: Uint8Array | undefined

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]()
  }

  /** The next `count` bytes. Whoever stops reading them leaves the rest to the next piece. @throws when the source ends before */
  async *take(count: number): AsyncGenerator<Uint8Array, void, undefined> {
    let left = count
    while (left > 0) {
      const chunk = this.#rest ?? (await this.#next())
      const piece = chunk.length > left ? chunk.subarray(0, left) : chunk
      this.#rest = piece === chunk ? undefined : chunk.subarray(left)
      left -= piece.length
      if (piece.length > 0) yield piece
    }
  }

  async #next(): Promise<Uint8Array> {
    const { value, done } = await this.#source.next()
    if (done === true) throw new Error('the connection ended before the bytes that it announced')
    return value
  }
}
