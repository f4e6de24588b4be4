let lastChunk: Buffer | undefined
let lastView: DataView | undefined

/** Larger chunks are not kept from the garbage collector for the sake of their view. */
const keptChunkBytes = 1 << 20

/** A DataView on `chunk`; a chunk holds many rows, so the last one is remembered. */
export function viewOf(chunk: Buffer): DataView {
  if (chunk === lastChunk) return lastView!
  const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.length)
  if (chunk.length <= keptChunkBytes) {
    lastChunk = chunk
    lastView = view
  }
  return view
}

/**
 * Source text that reads the offsets of `slots` from a DataRow body at `start` of the view `source`: the column of slot 3
 * begins at `o3` and is `l3` bytes long, or NULL when `l3` is negative.
 */
export function offsetsSource(slots: Iterable<number>): string {
  const wanted = new Set(slots)
  const last = Math.max(-1, ...wanted)
  let source = 'let o=start+2;'
  for (let slot = 0; slot <= last; slot += 1) {
    if (wanted.has(slot))
      source += `const l${slot}=source.getInt32(o),o${slot}=o+4;o=l${slot}>0?o${slot}+l${slot}:o${slot};`
    else source += 'o+=4+Math.max(0,source.getInt32(o));'
  }
  return source
}
