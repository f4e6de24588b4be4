/** Receives one backend message: its type byte, and the bytes of its body in `chunk` from `start` to `end`. */
export type MessageSink = (type: number, chunk: Buffer, start: number, end: number) => void

/**
 * Cuts a stream of bytes into backend messages without copying those that arrive whole. A message that is spread over
 * many chunks is put together once, when its last byte is there, so its cost grows with its size and not its square.
 */
export class MessageSplitter {
  readonly #sink: MessageSink
  #parts: Buffer[] = []
  #have = 0
  #want = 0

  constructor(sink: MessageSink) {
    this.#sink = sink
  }

  /** Takes the next bytes and hands every message that is now complete to the sink. */
  push(bytes: Buffer): void {
    let chunk = bytes
    if (this.#have > 0) {
      this.#parts.push(bytes)
      this.#have += bytes.length
      if (this.#have < this.#want) return
      chunk = Buffer.concat(this.#parts, this.#have)
      this.#parts = []
      this.#have = 0
    }
    const sink = this.#sink
    const length = chunk.length
    let at = 0
    while (length - at >= 5) {
      const size = (chunk[at + 1]! << 24) | (chunk[at + 2]! << 16) | (chunk[at + 3]! << 8) | chunk[at + 4]!
      if (size < 4) throw new Error(`The server sent a message of ${size} bytes, which the protocol does not allow`)
      const end = at + 1 + size
      if (end > length) break
      sink(chunk[at]!, chunk, at + 5, end)
      at = end
    }
    if (at < length) this.#keep(chunk, at)
  }

  #keep(chunk: Buffer, at: number): void {
    // Copied, so that a few bytes of the next message do not keep a whole read buffer alive.
    const rest = Buffer.from(chunk.subarray(at))
    this.#parts = [rest]
    this.#have = rest.length
    this.#want = rest.length < 5 ? 5 : 1 + rest.readUInt32BE(1)
  }
}
