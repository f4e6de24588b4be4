import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { piecesFrom, type ByteSource } from '../../files/byte-source.ts'

/** A client that sends nothing for so long is given up. */
const idleMs = 60_000
const unread = 'nobody reads the request any more'

interface Wanted {
  readonly target: Uint8Array
  filled: number
  resolve(bytes: number): void
  reject(error: unknown): void
}

/**
 * The bytes of a request as they come, and no faster than they are wanted. A client that falls silent is given up, however long its reader
 * takes for what came before.
 */
export class RequestBody implements ByteSource {
  readonly #request: IncomingMessage
  /** Whether what comes is nobody else's. */
  readonly #own: boolean
  /** What has come, the first of it up to a place, and was not wanted yet. */
  readonly #chunks: Buffer[] = []
  #at = 0
  #wanted: Wanted | undefined
  #timer: NodeJS.Timeout | undefined
  #ended = false

  constructor(request: IncomingMessage) {
    this.#request = request
    // Requests that are made up for tests, and those of HTTP/2, come in memory of somebody else's.
    this.#own =
      request instanceof IncomingMessage && request.socket instanceof Socket && request.listenerCount('data') === 0
  }

  readInto(target: Uint8Array): Promise<number> {
    return new Promise((resolve, reject) => {
      if (this.#ended) throw new Error(unread)
      this.#wanted = { target, filled: 0, resolve, reject }
      while (this.#chunks.length > 0 && this.#wanted !== undefined) this.#pour()
      if (this.#wanted === undefined) return
      if (this.#request.readableEnded) return this.#settle()
      if (this.#request.destroyed) return this.#fail(this.#request.errored)
      this.#listen()
      this.#timer!.refresh()
      this.#request.resume()
    })
  }

  end(): void {
    this.#ended = true
    clearTimeout(this.#timer)
    this.#fail(new Error(unread))
    this.#chunks.length = 0
    this.#request.off('data', this.#onData)
    // What is left of it is read to its end, for the next one on its connection, unless that is closed.
    if (this.#timer !== undefined) this.#request.resume()
  }

  [Symbol.asyncIterator](): AsyncGenerator<Buffer, void, undefined> {
    return piecesFrom(this)
  }

  #listen(): void {
    if (this.#timer !== undefined) return
    this.#timer = setTimeout(() => {
      if (this.#wanted !== undefined) this.#request.destroy(new Error('the client has sent nothing for a minute'))
    }, idleMs).unref()
    this.#request
      .on('data', this.#onData)
      .on('end', () => this.#settle())
      .on('error', (error) => this.#fail(error))
      .on('close', () => {
        clearTimeout(this.#timer)
        this.#fail(undefined)
      })
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#chunks.push(chunk)
    if (this.#wanted === undefined) return
    this.#timer!.refresh()
    this.#pour()
  }

  /** Gives of the first chunk what is wanted. */
  #pour(): void {
    const { target, filled } = this.#wanted!
    const chunk = this.#chunks[0]!
    const bytes = chunk.copy(target, filled, this.#at)
    this.#wanted!.filled += bytes
    this.#at += bytes
    if (this.#at === chunk.length) {
      this.#chunks.shift()
      this.#at = 0
      if (this.#own) release(chunk)
    }
    if (this.#wanted!.filled === target.length) this.#settle()
  }

  #settle(): void {
    const wanted = this.#wanted
    if (wanted === undefined) return
    this.#wanted = undefined
    this.#request.pause()
    wanted.resolve(wanted.filled)
  }

  #fail(error: unknown): void {
    const wanted = this.#wanted
    this.#wanted = undefined
    wanted?.reject(error ?? new Error('the connection ended before the bytes that it announced'))
  }
}

/** Gives back the memory of a chunk that was copied: what waits to be collected would come to tens of megabytes. */
function release({ buffer, byteLength }: Buffer): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0)
}
