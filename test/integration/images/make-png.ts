import { crc32, deflateSync } from 'node:zlib'

/** A piece of a PNG, with its length and checksum. */
export function pngChunk(type: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const chunk = Buffer.alloc(body.length + 8)
  chunk.writeUInt32BE(data.length, 0)
  body.copy(chunk, 4)
  chunk.writeUInt32BE(crc32(body), body.length + 4)
  return chunk
}

/**
 * A PNG of one colour and one bit a pixel, which is small however large it says that it is. `more` comes before its pixels; `rows` of
 * them are there.
 */
export function plainPng(
  width: number,
  height: number,
  { more = [], rows = height }: { more?: Buffer[]; rows?: number } = {},
): Buffer {
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header[8] = 1
  const line = 1 + Math.ceil(width / 8)
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    pngChunk('IHDR', header),
    ...more,
    pngChunk('IDAT', deflateSync(Buffer.alloc(line * rows), { level: 9 })),
    pngChunk('IEND', Buffer.alloc(0)),
  ])
}
