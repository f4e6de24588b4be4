import type {} from '../../core/buffer-slices.ts'

const firstCapacity = 16_384

/** Memory of writers that are done, for the next ones: growing from nothing costs more than the JSON itself. */
const spare: Buffer[] = []
const mostSpare = 8
const largestSpare = 1 << 20

/** A buffer that grows, for JSON text. `bytes` and `view` are the same memory; both are replaced when it grows. */
export class JsonWriter {
  bytes: Buffer
  view: DataView
  /** How many of `bytes` are written. */
  length = 0

  constructor() {
    this.bytes = spare.pop() ?? Buffer.allocUnsafeSlow(firstCapacity)
    this.view = new DataView(this.bytes.buffer)
  }

  /** Makes room for `count` more bytes. */
  need(count: number): void {
    const wanted = this.length + count
    if (wanted > this.bytes.length) this.#grow(wanted)
  }

  #grow(wanted: number): void {
    const bytes = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, wanted, firstCapacity))
    this.bytes.copy(bytes, 0, 0, this.length)
    this.bytes = bytes
    this.view = new DataView(bytes.buffer)
  }

  /** Appends one byte. */
  writeByte(byte: number): void {
    this.need(1)
    this.bytes[this.length] = byte
    this.length += 1
  }

  /** Appends text that is known to be ASCII. */
  writeAscii(text: string): void {
    this.need(text.length)
    this.length += this.bytes.latin1Write(text, this.length)
  }

  /** Appends any text, as UTF-8. */
  writeUtf8(text: string): void {
    this.need(text.length * 3)
    this.length += this.bytes.utf8Write(text, this.length)
  }

  /** Appends `buffer` from `start` to `end`. */
  copy(buffer: Buffer, start: number, end: number): void {
    this.need(end - start)
    buffer.copy(this.bytes, this.length, start, end)
    this.length += end - start
  }

  /** Forgets what is written and keeps the memory. */
  reset(): void {
    this.length = 0
  }

  /** A copy of what is written; the writer is then empty, and its memory serves the next one. */
  toBuffer(): Buffer {
    const copy = Buffer.allocUnsafe(this.length)
    this.bytes.copy(copy, 0, 0, this.length)
    this.release()
    return copy
  }

  /** Gives the memory to the next writer; this one is empty and may be written to again. */
  release(): void {
    if (this.bytes.length > 0 && this.bytes.length <= largestSpare && spare.length < mostSpare) spare.push(this.bytes)
    this.bytes = nothing
    this.view = new DataView(nothing.buffer)
    this.length = 0
  }
}

const nothing = Buffer.allocUnsafeSlow(0)
