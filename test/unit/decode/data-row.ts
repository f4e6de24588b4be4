/** A DataRow body in the middle of a chunk, as the wire carries it: nothing before or after it belongs to the row. */
export function dataRow(texts: readonly (string | Buffer | null)[]): { chunk: Buffer; start: number; end: number } {
  const parts = [Buffer.from('junk before'), Buffer.from([texts.length >> 8, texts.length & 255])]
  for (const text of texts) {
    const bytes = text === null ? Buffer.alloc(0) : Buffer.from(text)
    const length = Buffer.alloc(4)
    length.writeInt32BE(text === null ? -1 : bytes.length)
    parts.push(length, bytes)
  }
  const start = parts[0]!.length
  const end = parts.reduce((sum, part) => sum + part.length, 0)
  // A row may be the last of its chunk: reading beyond its end must not be relied on.
  return { chunk: Buffer.concat(parts), start, end }
}
