/** The sides of a picture, in pixels. */
export interface PictureSize {
  readonly width: number
  readonly height: number
}

/** As much of a picture as its size is looked for in: a photo may have its thumbnail and its colours before. */
export const pictureHeadBytes = 1_048_576

/** The types whose size is read. */
export const pictureTypes: ReadonlySet<string> = new Set([
  'image/png',
  'image/apng',
  'image/jpeg',
  'image/gif',
  'image/webp',
  'image/avif',
  'image/heic',
  'image/heif',
  'image/bmp',
])

/**
 * The size that a picture says it has, read from its head without decoding anything: a few bytes can promise gigabytes of pixels.
 * Undefined when the head does not say it.
 */
export function pictureSize(head: Uint8Array, type: string): PictureSize | undefined {
  const bytes = Buffer.from(head.buffer, head.byteOffset, head.length)
  try {
    return read(bytes, type)
  } catch {
    // It ends before its size.
    return undefined
  }
}

function read(bytes: Buffer, type: string): PictureSize | undefined {
  switch (type) {
    case 'image/png':
    case 'image/apng':
      return { width: bytes.readUInt32BE(16), height: bytes.readUInt32BE(20) }
    case 'image/jpeg':
      return readJpeg(bytes)
    case 'image/gif':
      return { width: bytes.readUInt16LE(6), height: bytes.readUInt16LE(8) }
    case 'image/webp':
      return readWebp(bytes)
    case 'image/bmp':
      return { width: Math.abs(bytes.readInt32LE(18)), height: Math.abs(bytes.readInt32LE(22)) }
    case 'image/avif':
    case 'image/heic':
    case 'image/heif':
      return readIspe(bytes)
    default:
      return undefined
  }
}

/** The first frame header (ITU-T T.81, B.2.2); the segments before it are passed over. */
function readJpeg(bytes: Buffer): PictureSize | undefined {
  let at = 2
  for (;;) {
    if (bytes.readUInt8(at) !== 0xff) return undefined
    const marker = bytes.readUInt8(at + 1)
    // Fill bytes, and markers that stand alone.
    if (marker === 0xff) at += 1
    else if (marker === 0x01 || (marker >= 0xd0 && marker <= 0xd7)) at += 2
    else if (marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc) {
      return { height: bytes.readUInt16BE(at + 5), width: bytes.readUInt16BE(at + 7) }
    } else if (marker === 0xd9 || marker === 0xda) return undefined
    else at += 2 + bytes.readUInt16BE(at + 2)
  }
}

/** https://developers.google.com/speed/webp/docs/riff_container */
function readWebp(bytes: Buffer): PictureSize | undefined {
  switch (bytes.toString('latin1', 12, 16)) {
    case 'VP8 ':
      return { width: bytes.readUInt16LE(26) & 0x3fff, height: bytes.readUInt16LE(28) & 0x3fff }
    case 'VP8L': {
      const bits = bytes.readUInt32LE(21)
      return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 }
    }
    case 'VP8X':
      return { width: bytes.readUIntLE(24, 3) + 1, height: bytes.readUIntLE(27, 3) + 1 }
    default:
      return undefined
  }
}

/** The largest of the sizes of its items (ISO/IEC 23008-12, 6.5.3): tiles and thumbnails have one too. */
function readIspe(bytes: Buffer): PictureSize | undefined {
  let largest: PictureSize | undefined
  for (let at = bytes.indexOf('ispe'); at >= 0 && at + 16 <= bytes.length; at = bytes.indexOf('ispe', at + 4)) {
    const size = { width: bytes.readUInt32BE(at + 8), height: bytes.readUInt32BE(at + 12) }
    if (largest === undefined || size.width * size.height > largest.width * largest.height) largest = size
  }
  return largest
}
