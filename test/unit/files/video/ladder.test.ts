import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ladder, mostRate, type LadderSettings } from '../../../../src/files/video/ladder.ts'
import { videoSettings } from '../../../../src/files/video/video-settings.ts'

const settings = videoSettings()
const frameRate = { num: 30, den: 1 }
const of = (width: number, height: number, more: Partial<LadderSettings> = {}) =>
  ladder({ display: { width, height } }, { settings: { ...settings, ...more }, frameRate, complexity: undefined })
const shapes = (renditions: ReturnType<typeof of>) => renditions.map(({ width, height }) => `${width}x${height}`)

describe('the ladder', () => {
  test('has the usual sizes up to that of the source', () => {
    expect(shapes(of(1920, 1080))).toEqual(['426x240', '640x360', '854x480', '1280x720', '1920x1080'])
    expect(shapes(of(1080, 1920))).toEqual(['240x426', '360x640', '480x854', '720x1280', '1080x1920'])
    expect(shapes(of(720, 720))).toEqual(['240x240', '360x360', '480x480', '720x720'])
  })

  test('has the size of a source that is between two, and of one below all', () => {
    expect(shapes(of(1066, 600)).at(-1)).toBe('1066x600')
    expect(shapes(of(880, 490)).at(-1)).toBe('862x480')
    expect(shapes(of(128, 72))).toEqual(['128x72'])
    expect(shapes(of(3840, 2160, { sizes: [360] }))).toEqual(['640x360'])
  })

  test('never is above the source, never odd, and smaller than nothing', () => {
    const side = fc.integer({ min: 2, max: 6000 })
    fc.assert(
      fc.property(side, side, (width, height) => {
        const renditions = of(width, height)
        expect(renditions.length).toBeGreaterThan(0)
        for (const one of renditions) {
          expect([one.width % 2, one.height % 2]).toEqual([0, 0])
          expect(one.width).toBeLessThanOrEqual(Math.max(2, width))
          expect(one.height).toBeLessThanOrEqual(Math.max(2, height))
          expect(Math.min(one.width, one.height)).toBeGreaterThan(0)
        }
        const areas = renditions.map((one) => one.width * one.height)
        expect(areas).toEqual([...areas].sort((a, b) => a - b))
      }),
    )
  })

  test('gives what the samples ask for, within bounds', () => {
    const rates = (rate: number) =>
      ladder(
        { display: { width: 640, height: 360 } },
        {
          settings: { ...settings, sizes: [360] },
          frameRate,
          complexity: { rate, pixels: 640 * 360 },
        },
      ).map(({ maxRate }) => maxRate)
    expect(rates(1)).toEqual([240])
    expect(rates(400)).toEqual([520])
    expect(rates(50_000)).toEqual([800])
    expect(mostRate(640 * 360, { num: 60, den: 1 })).toBeCloseTo(1131, 0)
  })

  test('takes the rates that it is told, and has every size in AV1 too', () => {
    const renditions = of(1280, 720, { sizes: [360, 720], av1: true, rate: ({ height }) => height * 3 })
    expect(renditions.map(({ name, codec, maxRate }) => [name, codec, maxRate])).toEqual([
      ['360p', 'h264', 1080],
      ['720p', 'h264', 2160],
      ['360p-av1', 'av1', 720],
      ['720p-av1', 'av1', 1440],
    ])
  })
})
