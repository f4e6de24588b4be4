/** The columns of a DataRow body (see `RowSink`) as texts. */
export function textColumns(chunk: Buffer, start: number): (string | null)[] {
  const columns: (string | null)[] = []
  let at = start + 2
  for (let left = chunk.readInt16BE(start); left > 0; left--) {
    const length = chunk.readInt32BE(at)
    at += 4
    columns.push(length < 0 ? null : chunk.latin1Slice(at, at + length))
    if (length > 0) at += length
  }
  return columns
}
