import { isByteSource, sourceOf, type ByteSource } from './byte-source.ts'
import type { FileBody } from './contract.ts'
import { ByteTally, chunksOf, fromBody, type Announced } from './file-body.ts'

/** Reads a body into memory of the reader's own, and checks it against what was announced. */
export class BodyReader {
  /** How many bytes there are, if that is known. */
  readonly size: number | undefined
  readonly #source: ByteSource
  readonly #tally: ByteTally
  readonly #signal: AbortSignal | undefined

  constructor(body: FileBody, announced: Announced) {
    const { size, signal } = announced
    this.size = body instanceof Uint8Array ? body.length : size
    this.#tally = new ByteTally(announced)
    // The chunks of an iterable know the signal themselves.
    const isSource = isByteSource(body)
    this.#source = isSource ? body : sourceOf(chunksOf(body, signal))
    this.#signal = isSource ? signal : undefined
  }

  /**
   * Fills a block, and resolves to how many bytes are in it: fewer than it takes when these are the last, and then all were as announced.
   *
   * @throws PLIMSOLL_FILE_CORRUPT, PLIMSOLL_FILE_TOO_LARGE, PLIMSOLL_OPTION_INVALID; what the source and the signal throw
   */
  async fill(block: Buffer): Promise<number> {
    const signal = this.#signal
    const end = (): void => this.#source.end()
    signal?.throwIfAborted()
    signal?.addEventListener('abort', end, { once: true })
    try {
      // Also after an abort the source has to be done with the block.
      const bytes = await this.#source.readInto(block).catch((error: unknown) => {
        throw fromBody(error)
      })
      signal?.throwIfAborted()
      this.#tally.add(block.subarray(0, bytes))
      if (bytes < block.length) this.#tally.end()
      return bytes
    } catch (error) {
      signal?.throwIfAborted()
      throw error
    } finally {
      signal?.removeEventListener('abort', end)
    }
  }

  /** Says that no more will be read. */
  end(): void {
    this.#source.end()
  }
}
