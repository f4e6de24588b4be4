import { read } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { Readable, type Writable } from 'node:stream'
import type { ByteRange } from './byte-ranges.ts'

/** How much is read at a time. */
const pieceBytes = 256 * 1024
/** While answers together hold less than this, each reads the next piece while the last one is on its way. */
const readAheadBytes = 4 * 1024 * 1024
/** Beyond this, pieces are small: many slow clients cost little memory each. */
const largeBytes = 8 * 1024 * 1024
const smallBytes = 48 * 1024

/** Buffers that answers share: a fresh one for each piece costs more than reading it, and is memory until it is collected. */
const free = { large: [] as Buffer[], small: [] as Buffer[] }
let held = 0

function takeBuffer(): Buffer {
  const size = held < largeBytes ? pieceBytes : smallBytes
  held += size
  return (size === pieceBytes ? free.large : free.small).pop() ?? Buffer.allocUnsafeSlow(size)
}

function giveBuffer(buffer: Buffer): void {
  held -= buffer.length
  const kept = buffer.length === pieceBytes ? free.large : free.small
  if (kept.length * buffer.length < largeBytes) kept.push(buffer)
}

/** Somebody may have it still, so nobody else is given it. */
function forgetBuffer(buffer: Buffer): void {
  held -= buffer.length
}

/**
 * A part of an open file, as a stream. Piped to an answer, it is handed over in buffers that are used again as soon as the socket has taken
 * them, and no faster than the client takes it; read in another way, it is a stream like any other. It does not close the file.
 */
export class LocalBody extends Readable {
  readonly #file: FileHandle
  readonly #end: number
  #at: number
  /** Reads that the system has not answered: until then the file must stay open. */
  #reading = false
  #idle: (() => void) | undefined
  #piped: Writable | undefined
  /** Pieces that are on their way to the client. */
  readonly #sent = new Set<Buffer>()

  constructor(file: FileHandle, { first, last }: ByteRange) {
    super({ highWaterMark: pieceBytes })
    this.#file = file
    this.#at = first
    this.#end = last + 1
  }

  override pipe<T extends NodeJS.WritableStream>(destination: T, options?: { readonly end?: boolean }): T {
    // What somebody listens to, or has read of, goes the usual way.
    if (options?.end === false || this.readableFlowing !== null || this.readableLength > 0)
      return super.pipe(destination, options)
    this.#piped = destination as unknown as Writable
    this.#pump()
    return destination
  }

  override _read(): void {
    if (this.#piped !== undefined || this.#reading) return
    if (this.#at >= this.#end) {
      this.push(null)
      return
    }
    const buffer = Buffer.allocUnsafeSlow(Math.min(pieceBytes, this.#end - this.#at))
    this.#readInto(buffer, (bytes) => this.push(buffer.subarray(0, bytes)))
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    // An answer that never got the connection, because it waited for one before it, says nothing of what it was given.
    this.#sent.forEach(forgetBuffer)
    this.#sent.clear()
    if (this.#reading) this.#idle = () => callback(error)
    else callback(error)
  }

  /** Reads the next piece, if the last one is read and there is room for another one on its way. */
  #pump(): void {
    const destination = this.#piped!
    if (this.#reading || this.destroyed) return
    if (this.#at >= this.#end) {
      if (this.#sent.size === 0) this.#finish(destination)
      return
    }
    if (this.#sent.size > (held < readAheadBytes ? 1 : 0)) return
    const buffer = takeBuffer()
    const length = Math.min(buffer.length, this.#end - this.#at)
    this.#readInto(
      buffer.length === length ? buffer : buffer.subarray(0, length),
      (bytes) => {
        this.#sent.add(buffer)
        destination.write(buffer.subarray(0, bytes), (error) => {
          if (!this.#sent.delete(buffer)) return
          giveBuffer(buffer)
          if (error) this.destroy()
          else this.#pump()
        })
        this.#pump()
      },
      () => giveBuffer(buffer),
    )
  }

  #finish(destination: Writable): void {
    destination.end()
    // Ended without anybody reading it: for whoever waits for its end.
    this.push(null)
    this.resume()
  }

  #readInto(buffer: Buffer, then: (bytes: number) => void, otherwise?: () => void): void {
    this.#reading = true
    read(this.#file.fd, buffer, 0, buffer.length, this.#at, (error, bytes) => {
      this.#reading = false
      if (this.#idle !== undefined) {
        otherwise?.()
        this.#idle()
      } else if (error || bytes === 0) {
        otherwise?.()
        // A file that has become shorter has no bytes that were promised.
        this.destroy(error ?? new Error('the file ends before its end'))
      } else {
        this.#at += bytes
        then(bytes)
      }
    })
  }
}
