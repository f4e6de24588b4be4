import type { FileHandle } from 'node:fs/promises'
import { piecesFrom, type ByteSource } from '../../byte-source.ts'
import { toStorageError } from './disk-errors.ts'

/** Bytes of a file that is open, and is closed when they are read. */
export interface OpenPiece {
  readonly file: FileHandle
  readonly first: number
  readonly size: number
}

/** The bytes of files, one after the other, each of which is opened when its turn comes. Errors are the store's, told as it tells them. */
export class FileSource implements ByteSource {
  readonly #pieces: Iterator<() => Promise<OpenPiece>>
  readonly #root: string
  #open: OpenPiece | undefined
  #done = 0
  #ended = false

  constructor(pieces: Iterable<() => Promise<OpenPiece>>, root: string) {
    this.#pieces = pieces[Symbol.iterator]()
    this.#root = root
  }

  async readInto(target: Uint8Array): Promise<number> {
    try {
      let filled = 0
      while (filled < target.length) {
        const open = (this.#open ??= await this.#next())
        if (this.#ended) throw new Error('Nobody reads the files any more.')
        if (open === undefined) break
        const { file, first, size } = open
        const most = Math.min(target.length - filled, size - this.#done)
        const { bytesRead } = await file.read(target, filled, most, first + this.#done)
        if (bytesRead === 0 && most > 0) throw new Error(`A file ends ${most} bytes before its end.`)
        filled += bytesRead
        this.#done += bytesRead
        if (this.#done === size) await this.#close()
      }
      return filled
    } catch (error) {
      this.end()
      // As the source of a body it would not be taken for the store's.
      throw toStorageError(error, this.#root)
    }
  }

  end(): void {
    this.#ended = true
    void this.#close().catch(() => {})
  }

  [Symbol.asyncIterator](): AsyncGenerator<Buffer, void, undefined> {
    return piecesFrom(this)
  }

  async #next(): Promise<OpenPiece | undefined> {
    const { value, done } = this.#pieces.next()
    return done === true ? undefined : value()
  }

  async #close(): Promise<void> {
    const open = this.#open
    this.#open = undefined
    this.#done = 0
    await open?.file.close()
  }
}
