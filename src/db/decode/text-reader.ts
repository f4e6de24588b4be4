import type {} from '../../core/buffer-slices.ts'
/** Reads the database's own texts of some columns of a DataRow, null for NULL. */
export type TextReader = (chunk: Buffer, start: number, end: number) => (string | null)[]

/** Makes the reader of the texts at `slots`, for cursors and scalars. */
export function compileTextReader(slots: readonly number[]): TextReader {
  const last = Math.max(-1, ...slots)
  return (chunk, start) => {
    const texts: (string | null)[] = slots.map(() => null)
    let at = start + 2
    for (let slot = 0; slot <= last; slot += 1) {
      const length = chunk.readInt32BE(at)
      at += 4
      if (length < 0) continue
      for (let i = 0; i < slots.length; i += 1) {
        if (slots[i] === slot) texts[i] = chunk.utf8Slice(at, at + length)
      }
      at += length
    }
    return texts
  }
}
