import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import { pictureSize } from '../../../src/files/uploads/picture-size.ts'

const size = { width: 37, height: 21 }

function picture(
  format: 'png' | 'jpeg' | 'gif' | 'webp' | 'avif',
  options: object = {},
  channels: 3 | 4 = 3,
): Promise<Buffer> {
  const background = { r: 10, g: 20, b: 30, alpha: 0.5 }
  return sharp({ create: { ...size, channels, background } })
    .toFormat(format, options)
    .toBuffer()
}

describe('the size of a picture', () => {
  test.each([
    ['png', 'image/png', {}, 3],
    ['jpeg', 'image/jpeg', {}, 3],
    ['jpeg', 'image/jpeg', { progressive: true }, 3],
    ['gif', 'image/gif', {}, 3],
    ['webp', 'image/webp', { quality: 50 }, 3],
    ['webp', 'image/webp', { lossless: true }, 3],
    // With transparency it has another head.
    ['webp', 'image/webp', { quality: 50 }, 4],
    ['avif', 'image/avif', {}, 3],
  ] as const)('is read from the head of %s (%s, %j, %i channels)', async (format, type, options, channels) => {
    expect(pictureSize(await picture(format, options, channels), type)).toEqual(size)
  })

  test('of a JPEG is found behind its thumbnail and its colours', async () => {
    const jpeg = await picture('jpeg')
    const segment = Buffer.alloc(65_000)
    segment.set([0xff, 0xe2])
    segment.writeUInt16BE(segment.length - 2, 2)
    const long = Buffer.concat([jpeg.subarray(0, 2), segment, segment, jpeg.subarray(2)])
    expect(pictureSize(long, 'image/jpeg')).toEqual(size)
    // Only the beginning of it has come.
    expect(pictureSize(long.subarray(0, 100_000), 'image/jpeg')).toBeUndefined()
  })

  test.each(['image/png', 'image/jpeg', 'image/gif', 'image/webp', 'image/avif', 'image/bmp', 'image/x-unknown'])(
    'of what is no %s, or ends too early, is not there',
    (type) => {
      for (const bytes of [Buffer.alloc(0), Buffer.from([0xff, 0xd8]), Buffer.from('RIFF')])
        expect(pictureSize(bytes, type)).toBeUndefined()
    },
  )
})
