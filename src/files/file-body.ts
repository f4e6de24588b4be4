import { PlimsollError, showValue } from '../core/errors.ts'
import { endIterator, isByteSource } from './byte-source.ts'
import { ChecksumTally, readChecksums } from './checksums.ts'
import type { Checksums, FileBody, PutOptions } from './contract.ts'
import { fileCorrupt, fileTooLarge } from './file-errors.ts'

/** What is known of bytes before they come. */
export interface Announced extends Checksums, Pick<PutOptions, 'size' | 'signal'> {
  /** For messages. */
  readonly key: string
  /** The most that the store takes. */
  readonly mostBytes: number
}

/**
 * The bytes of a body as they come, checked against what was announced of them. A source that is not read to its end is ended: a stream is
 * destroyed, an iterator told to return.
 *
 * @throws PLIMSOLL_FILE_CORRUPT, PLIMSOLL_FILE_TOO_LARGE, PLIMSOLL_OPTION_INVALID for what are no bytes; what the source and the signal throw
 */
export async function* bytesOf(body: FileBody, announced: Announced): AsyncGenerator<Buffer, void, undefined> {
  const tally = new ByteTally(announced)
  let held: Buffer | undefined
  for await (const chunk of chunksOf(body, announced.signal)) {
    if (chunk.length === 0) continue
    tally.add(chunk)
    // A server that has all of the bytes keeps them: the last ones wait until they are known to be right.
    if (held !== undefined) yield held
    held = chunk
  }
  tally.end()
  if (held !== undefined) yield held
}

/** Counts and sums bytes, to compare them with what was announced. */
export class ByteTally {
  readonly #announced: Announced
  readonly #sums: ChecksumTally | undefined
  #count = 0

  constructor(announced: Announced) {
    this.#announced = announced
    this.#sums = ChecksumTally.of(announced)
  }

  /** @throws PLIMSOLL_FILE_CORRUPT, PLIMSOLL_FILE_TOO_LARGE */
  add(bytes: Buffer): void {
    const { key, size, mostBytes } = this.#announced
    this.#count += bytes.length
    if (size !== undefined && this.#count > size) throw fileCorrupt(key, `there are more than ${size}`)
    if (this.#count > mostBytes) throw fileTooLarge(key, mostBytes)
    this.#sums?.update(bytes)
  }

  /** That was all. @throws PLIMSOLL_FILE_CORRUPT */
  end(): void {
    const { key, size } = this.#announced
    if (size !== undefined && this.#count < size) throw fileCorrupt(key, `there are ${this.#count} of ${size}`)
    const difference = this.#sums?.difference()
    if (difference !== undefined) throw fileCorrupt(key, `their ${difference}`)
  }
}

/**
 * Checks what is announced of bytes, so that it is wrong before any are read. Returns the checksums, in small letters.
 *
 * @throws PLIMSOLL_OPTION_INVALID, PLIMSOLL_FILE_TOO_LARGE
 */
export function checkAnnounced({ key, size, mostBytes, ...others }: Announced): Checksums {
  if (size !== undefined && !(Number.isSafeInteger(size) && size >= 0)) {
    throw invalid('size', `size is ${showValue(size)}; give a number of bytes`)
  }
  if (size !== undefined && size > mostBytes) throw fileTooLarge(key, mostBytes)
  return readChecksums(others, (name, wanted) => invalid(name, `${name} is ${showValue(others[name])}; give ${wanted}`))
}

/** What is larger than this, in bytes, is not held in memory, and not sent again when that fails. */
export const mostHeld = 16 * 1024 * 1024

/** All bytes of what is known to be short. */
export async function gathered(bytes: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of bytes) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** True for an error that the source of a body failed with: it says nothing about the store. */
export function isFromBody(error: unknown): boolean {
  return typeof error === 'object' && error !== null && sourceErrors.has(error)
}

const sourceErrors = new WeakSet<object>()

/** Has an error count as one of the source of a body. */
export function fromBody(error: unknown): unknown {
  if (typeof error === 'object' && error !== null) sourceErrors.add(error)
  return error
}

/** Ends a body that will not be read. */
export function endBody(body: FileBody): void {
  if (body instanceof Uint8Array || !isStream(body)) return
  if (isByteSource(body)) body.end()
  else if ('destroy' in body) body.on('error', () => {}).destroy()
  else void endIterator(body[Symbol.asyncIterator]())
}

/** The chunks of a body as they come. @throws what the source and the signal throw, and PLIMSOLL_OPTION_INVALID for what are no bytes */
export async function* chunksOf(
  body: FileBody,
  signal: AbortSignal | undefined,
): AsyncGenerator<Buffer, void, undefined> {
  signal?.throwIfAborted()
  if (body instanceof Uint8Array) {
    yield toBuffer(body)
    return
  }
  if (!isStream(body))
    throw invalid('body', `The body is ${showValue(body)}; give bytes, a stream or an async iterable`)
  const iterator = body[Symbol.asyncIterator]()
  let open = true
  try {
    for (;;) {
      const next = await orAborted(iterator.next(), signal).catch((error: unknown) => {
        throw fromBody(error)
      })
      open = next.done !== true
      if (next.done === true) return
      yield toBuffer(next.value)
    }
  } finally {
    if (open) {
      // A stream in the middle of a read would wait for it; destroyed, it does not.
      if ('destroy' in body) body.destroy()
      if (isByteSource(body)) body.end()
      void endIterator(iterator)
    }
  }
}

function isStream(body: unknown): body is Exclude<FileBody, Uint8Array> {
  return typeof body === 'object' && body !== null && Symbol.asyncIterator in body
}

function toBuffer(chunk: unknown): Buffer {
  if (Buffer.isBuffer(chunk)) return chunk
  if (chunk instanceof Uint8Array) return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
  throw invalid('body', `A chunk of the body is ${showValue(chunk)}; give bytes, such as a Buffer`)
}

/** Settles with `promise`, or rejects with the reason of `signal` as soon as that aborts. */
export function orAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error)
    if (signal.aborted) {
      promise.catch(() => {})
      return abort()
    }
    signal.addEventListener('abort', abort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}

function invalid(option: string, message: string): PlimsollError {
  return new PlimsollError('PLIMSOLL_OPTION_INVALID', `${message}.`, { details: { option } })
}
