import type { Hash } from 'node:crypto'
import { piecesFrom, type ByteSource } from '../byte-source.ts'

/** A piece of what comes. */
export interface FedPiece extends ByteSource {
  /** Resolves when all of it is read. */
  readonly read: Promise<void>
}

/** Bytes that are handed out by the piece. */
export class ByteFeed {
  readonly #source: ByteSource

  constructor(source: ByteSource) {
    this.#source = source
  }

  /** The next `count` bytes. It fails when the source ends before; whoever stops reading them ends the source. */
  take(count: number): FedPiece {
    const source = this.#source
    const { promise: read, resolve: noneLeft } = Promise.withResolvers<void>()
    let left = count
    const piece: FedPiece = {
      read,
      async readInto(target) {
        if (left === 0) return 0
        const wanted = target.subarray(0, left)
        const bytes = await source.readInto(wanted)
        if (bytes < wanted.length) throw new Error('the connection ended before the bytes that it announced')
        left -= bytes
        if (left === 0) noneLeft()
        return bytes
      },
      end() {
        if (left > 0) source.end()
      },
      [Symbol.asyncIterator]: () => piecesFrom(piece),
    }
    return piece
  }
}

/** Bytes that are hashed as they are read. */
export function hashed(source: ByteSource, hash: Hash): ByteSource {
  const all: ByteSource = {
    async readInto(target) {
      const bytes = await source.readInto(target)
      hash.update(target.subarray(0, bytes))
      return bytes
    },
    end: () => source.end(),
    [Symbol.asyncIterator]: () => piecesFrom(all),
  }
  return all
}
