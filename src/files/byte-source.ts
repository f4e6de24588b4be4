/**
 * Bytes that are read into memory of the reader's own. What makes no memory leaves none behind: 64 KB for every 64 KB that pass are
 * collected late, and at a price. It can be iterated like any other body, too, which makes a buffer for each piece.
 */
export interface ByteSource extends AsyncIterable<Buffer> {
  /**
   * Fills `target`, and resolves to how many bytes were put into it: fewer than it takes only at the end. One call at a time. When it has
   * settled, `target` is not touched any more.
   *
   * @throws what the source fails with
   */
  readInto(target: Uint8Array): Promise<number>
  /** Says that no more will be read. A call that waits for bytes rejects. */
  end(): void
}

const pieceBytes = 64 * 1024

/** Whether a body can be read into memory of the reader's own. */
export function isByteSource(body: unknown): body is ByteSource {
  return typeof body === 'object' && body !== null && 'readInto' in body
}

/** The bytes of a source by pieces, each in a buffer of its own. */
export async function* piecesFrom(source: ByteSource): AsyncGenerator<Buffer, void, undefined> {
  let ended = false
  try {
    while (!ended) {
      const piece = Buffer.allocUnsafeSlow(pieceBytes)
      const bytes = await source.readInto(piece)
      ended = bytes < piece.length
      if (bytes > 0) yield piece.subarray(0, bytes)
    }
  } finally {
    if (!ended) source.end()
  }
}

/** The chunks of an iterable, copied to where they are wanted. */
export function sourceOf(chunks: AsyncIterable<Uint8Array>): ByteSource {
  const iterator = chunks[Symbol.asyncIterator]()
  let rest: Uint8Array | undefined
  const source: ByteSource = {
    async readInto(target) {
      let filled = 0
      while (filled < target.length) {
        if (rest === undefined || rest.length === 0) {
          const { value, done } = await iterator.next()
          if (done === true) break
          rest = value
        }
        const taken = rest.subarray(0, target.length - filled)
        target.set(taken, filled)
        filled += taken.length
        rest = rest.subarray(taken.length)
      }
      return filled
    },
    end: () => void endIterator(iterator),
    [Symbol.asyncIterator]: () => piecesFrom(source),
  }
  return source
}

/** Tells an iterator to return. Not to be waited for: one that hangs would keep hanging whoever wants to be rid of it. */
export async function endIterator(iterator: AsyncIterator<unknown>): Promise<void> {
  try {
    await iterator.return?.()
  } catch {
    // It was given up.
  }
}
