const quote = 0x22
const backslash = 0x5c
const space = 0x20
const hexDigits = Buffer.from('0123456789abcdef')

/** The letter after the backslash for the control characters that have one: \b \t \n \f \r. */
const shortEscapes = new Uint8Array(space)
shortEscapes[0x08] = 0x62
shortEscapes[0x09] = 0x74
shortEscapes[0x0a] = 0x6e
shortEscapes[0x0c] = 0x66
shortEscapes[0x0d] = 0x72

function writeEscape(target: Buffer, at: number, byte: number): number {
  target[at] = backslash
  const letter = byte >= space ? byte : shortEscapes[byte]!
  if (letter !== 0) {
    target[at + 1] = letter
    return at + 2
  }
  target[at + 1] = 0x75
  target[at + 2] = 0x30
  target[at + 3] = 0x30
  target[at + 4] = hexDigits[byte >> 4]!
  target[at + 5] = hexDigits[byte & 15]!
  return at + 6
}

/** Where a column of a row lies, and where its JSON goes; everything that the hot loops need, as plain arguments. */
export type WriteColumn = (
  target: Buffer,
  targetView: DataView,
  at: number,
  chunk: Buffer,
  source: DataView,
  from: number,
  length: number,
) => number

/**
 * Writes UTF-8 text as JSON text without its quotes, and gives the position after it. Eight bytes at a time as long as
 * none needs an escape: a byte is below 0x20, or zero once it is XORed with a quote or a backslash, when its high bit
 * survives `(x - n) & ~x` (Hacker's Delight, 6-1); a borrow can only report too much, and then bytes are looked at singly.
 */
export const writeEscaped: WriteColumn = (target, targetView, at, chunk, source, from, length) => {
  const end = from + length
  let i = from
  let p = at
  while (i < end) {
    while (i + 8 <= end) {
      const a = source.getInt32(i, true)
      const b = source.getInt32(i + 4, true)
      const aQuote = a ^ 0x22222222
      const bQuote = b ^ 0x22222222
      const aSlash = a ^ 0x5c5c5c5c
      const bSlash = b ^ 0x5c5c5c5c
      const found =
        ((a - 0x20202020) & ~a) |
        ((b - 0x20202020) & ~b) |
        ((aQuote - 0x01010101) & ~aQuote) |
        ((bQuote - 0x01010101) & ~bQuote) |
        ((aSlash - 0x01010101) & ~aSlash) |
        ((bSlash - 0x01010101) & ~bSlash)
      if ((found & 0x80808080) !== 0) break
      targetView.setInt32(p, a, true)
      targetView.setInt32(p + 4, b, true)
      i += 8
      p += 8
    }
    for (const stop = i + 8 < end ? i + 8 : end; i < stop; i += 1) {
      const byte = chunk[i]!
      if (byte >= space && byte !== quote && byte !== backslash) target[p++] = byte
      else p = writeEscape(target, p, byte)
    }
  }
  return p
}

/** Writes text as a JSON string. */
export const writeText: WriteColumn = (target, targetView, at, chunk, source, from, length) => {
  target[at] = quote
  const end = writeEscaped(target, targetView, at + 1, chunk, source, from, length)
  target[end] = quote
  return end + 1
}

/** Copies bytes as they are. Long stretches go by the native copy, which costs too much to call for short ones. */
export const writeBytes: WriteColumn = (target, targetView, at, chunk, source, from, length) => {
  if (length > 256) {
    chunk.copy(target, at, from, from + length)
    return at + length
  }
  const end = from + length
  let i = from
  let p = at
  for (; i + 4 <= end; i += 4, p += 4) targetView.setInt32(p, source.getInt32(i, true), true)
  while (i < end) target[p++] = chunk[i++]!
  return p
}

/** Copies bytes between quotes. */
export const writeQuoted: WriteColumn = (target, targetView, at, chunk, source, from, length) => {
  target[at] = quote
  const end = writeBytes(target, targetView, at + 1, chunk, source, from, length)
  target[end] = quote
  return end + 1
}
