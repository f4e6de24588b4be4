/** The SHA-256 of bytes in hexadecimal, all of which it holds in memory. It needs a secure context. */
export async function sha256Of(blob: Blob): Promise<string> {
  const sum = await crypto.subtle.digest('SHA-256', await blob.arrayBuffer())
  return Array.from(new Uint8Array(sum), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** How much of a file is in memory at a time. */
const blockBytes = 4 * 1024 * 1024

/** What each byte becomes, by Castagnoli's polynomial. */
const table = Int32Array.from({ length: 256 }, (_, sum) => {
  for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ ((sum & 1) * 0x82f63b78)
  return sum
})

/** The CRC-32C of bytes in hexadecimal (RFC 3720, section 12.1), of however many. Rejects when the signal aborts. */
export async function crc32cOf(blob: Blob, signal: AbortSignal): Promise<string> {
  let sum = -1
  for (let at = 0; at < blob.size; at += blockBytes) {
    signal.throwIfAborted()
    const block = new Uint8Array(await blob.slice(at, at + blockBytes).arrayBuffer())
    for (let n = 0; n < block.length; n++) sum = (sum >>> 8) ^ table[(sum ^ block[n]!) & 0xff]!
  }
  return (~sum >>> 0).toString(16).padStart(8, '0')
}
