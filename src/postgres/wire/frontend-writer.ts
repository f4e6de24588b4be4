import { PlimsollError, showValue } from '../../core/errors.ts'
import type { WireValue } from '../../core/wire.ts'
import { toArrayLiteral } from './array-literal.ts'

const slabBytes = 64 * 1024
const largeSlabBytes = 1024 * 1024
const maxParameters = 65_535
const executeAndSync = Buffer.from([0x45, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0x53, 0, 0, 0, 4])

/**
 * Collects frontend messages in one growing block of memory, so that all statements of a tick leave in one write. What
 * {@link FrontendWriter.take} hands out is never written to again.
 */
export class FrontendWriter {
  #slab: Buffer = Buffer.allocUnsafeSlow(slabBytes)
  #start = 0
  #at = 0

  /** True when nothing waits to be sent. */
  get empty(): boolean {
    return this.#at === this.#start
  }

  /** Where the next message begins; {@link FrontendWriter.rewind} goes back to it. */
  mark(): number {
    return this.#at - this.#start
  }

  /** Forgets what was written since `mark`. */
  rewind(mark: number): void {
    this.#at = this.#start + mark
  }

  /** The bytes written since the last take. */
  take(): Buffer {
    const bytes = this.#slab.subarray(this.#start, this.#at)
    this.#start = this.#at
    // A statement of megabytes must not leave a block of that size behind it.
    if (this.#slab.length > largeSlabBytes) {
      this.#slab = Buffer.allocUnsafeSlow(slabBytes)
      this.#start = 0
      this.#at = 0
    }
    return bytes
  }

  /** Parse, without parameter types: PostgreSQL infers them. */
  parse(name: string, text: string): void {
    checkText(text)
    this.#need(16 + name.length * 3 + text.length * 3)
    const begin = this.#begin(0x50)
    this.#string(name)
    this.#string(text)
    this.#slab[this.#at++] = 0
    this.#slab[this.#at++] = 0
    this.#finish(begin)
  }

  /** Bind to the unnamed portal with results in text format, then Execute and Sync. */
  bindExecuteSync(name: string, values: readonly WireValue[]): void {
    const count = values.length
    if (count > maxParameters) {
      throw new PlimsollError(
        'PLIMSOLL_QUERY_INVALID',
        `The statement has ${count} parameters; PostgreSQL takes at most ${maxParameters}. Pass lists as one array parameter.`,
      )
    }
    this.#need(32 + name.length * 3 + count * 2)
    const begin = this.#begin(0x42)
    this.#slab[this.#at++] = 0
    this.#string(name)
    this.#formats(values)
    this.#int16(count)
    for (let index = 0; index < count; index++) this.#value(values[index])
    this.#need(32)
    this.#int16(0)
    this.#finish(begin)
    this.#slab.set(executeAndSync, this.#at)
    this.#at += executeAndSync.length
  }

  /** Close of a prepared statement. */
  closeStatement(name: string): void {
    this.#need(16 + name.length * 3)
    const begin = this.#begin(0x43)
    this.#slab[this.#at++] = 0x53
    this.#string(name)
    this.#finish(begin)
  }

  /** A simple Query. */
  query(text: string): void {
    checkText(text)
    this.#need(16 + text.length * 3)
    const begin = this.#begin(0x51)
    this.#string(text)
    this.#finish(begin)
  }

  /** A Sync alone, which the server answers by ReadyForQuery. */
  sync(): void {
    this.#need(5)
    this.#finish(this.#begin(0x53))
  }

  #begin(type: number): number {
    this.#slab[this.#at] = type
    this.#at += 5
    return this.#at - 4 - this.#start
  }

  // Offsets are kept relative to the start of what waits, because a larger slab may take its place half-way.
  #finish(begin: number): void {
    const at = begin + this.#start
    this.#slab.writeUInt32BE(this.#at - at, at)
  }

  #formats(values: readonly WireValue[]): void {
    let binary = false
    for (let index = 0; index < values.length; index++) if (Buffer.isBuffer(values[index])) binary = true
    if (!binary) return this.#int16(0)
    this.#int16(values.length)
    for (let index = 0; index < values.length; index++) this.#int16(Buffer.isBuffer(values[index]) ? 1 : 0)
  }

  #value(value: WireValue | undefined): void {
    switch (typeof value) {
      case 'string':
        return this.#text(value)
      case 'number':
        return this.#ascii(String(value))
      case 'bigint':
        return this.#text(String(value))
      case 'boolean':
        return this.#ascii(value ? 't' : 'f')
      default:
        if (value === null) {
          this.#need(4)
          this.#slab.writeInt32BE(-1, this.#at)
          this.#at += 4
        } else if (Buffer.isBuffer(value)) {
          this.#need(4 + value.length)
          this.#slab.writeInt32BE(value.length, this.#at)
          this.#slab.set(value, this.#at + 4)
          this.#at += 4 + value.length
        } else if (Array.isArray(value)) {
          this.#text(toArrayLiteral(value))
        } else {
          throw new PlimsollError(
            'PLIMSOLL_VALUE_INVALID',
            `A parameter is ${value === undefined ? 'undefined' : showValue(typeof value)}; only strings, numbers, bigints, booleans, Buffers, null and arrays of them go to the wire.`,
          )
        }
    }
  }

  #ascii(text: string): void {
    const length = text.length
    this.#need(4 + length)
    const slab = this.#slab
    let at = this.#at
    slab[at++] = 0
    slab[at++] = 0
    slab[at++] = 0
    slab[at++] = length
    for (let index = 0; index < length; index++) slab[at++] = text.charCodeAt(index)
    this.#at = at
  }

  #text(text: string): void {
    // Three bytes for a UTF-16 unit are always enough; long text is measured first so as not to reserve them in vain.
    const most = text.length > 4096 ? Buffer.byteLength(text) : text.length * 3
    this.#need(4 + most)
    const written = this.#slab.write(text, this.#at + 4)
    this.#slab.writeInt32BE(written, this.#at)
    this.#at += 4 + written
  }

  #string(text: string): void {
    this.#at += this.#slab.write(text, this.#at)
    this.#slab[this.#at++] = 0
  }

  #int16(value: number): void {
    this.#slab[this.#at++] = value >>> 8
    this.#slab[this.#at++] = value & 0xff
  }

  #need(bytes: number): void {
    if (this.#slab.length - this.#at >= bytes) return
    const waiting = this.#at - this.#start
    const slab = Buffer.allocUnsafeSlow(Math.max(slabBytes, (waiting + bytes) * 2))
    this.#slab.copy(slab, 0, this.#start, this.#at)
    this.#slab = slab
    this.#start = 0
    this.#at = waiting
  }
}

// Text ends at its first NUL on the wire; what follows would be read as the next field.
function checkText(text: string): void {
  if (!text.includes('\0')) return
  throw new PlimsollError(
    'PLIMSOLL_QUERY_INVALID',
    `The SQL text has a NUL character, which PostgreSQL cannot take: ${showValue(text)}.`,
  )
}
