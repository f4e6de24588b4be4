import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { framesOf, longestFirst, timeOf, toChunks, type EncodePlan } from '../../../../src/files/video/encode-plan.ts'
import { outputRate, rotationOf, variesFrom } from '../../../../src/files/video/stream-facts.ts'

const ntsc = { num: 30_000, den: 1001 }

describe('the chunks of a video', () => {
  test('begin with key frames, where segments do', () => {
    const { gop, chunks } = toChunks({ duration: 25, frameRate: ntsc }, { segmentS: 2, chunkS: 8 })
    expect(gop).toBe(60)
    expect(chunks).toEqual([
      { index: 0, first: 0, count: 240 },
      { index: 1, first: 240, count: 240 },
      { index: 2, first: 480, count: undefined },
    ])
    expect(timeOf(240, ntsc)).toBeCloseTo(8.008, 6)
  })

  test.each([
    [120, 2, ['1 of 120']],
    [122, 2, ['3 of 30', '2 of 16', '1 of 8', '1 of 4']],
    [720, 2, ['16 of 30', '10 of 16', '7 of 8', '7 of 4']],
    [720, 6, ['16 of 30', '9 of 18', '4 of 12', '4 of 6']],
    [64 * 60, 2, ['22 of 120', '14 of 60', '9 of 30', '6 of 16', '4 of 8', '4 of 4']],
    [6 * 3600, 2, ['120 of 120', '80 of 60', '53 of 30', '33 of 16', '22 of 8', '22 of 4']],
  ])(
    'of %i seconds in segments of %i are of several lengths when nobody has said which',
    (duration, segmentS, lengths) => {
      const { chunks } = toChunks({ duration, frameRate: { num: 25, den: 1 } }, { segmentS, chunkS: undefined })
      const counted = new Map<number, number>()
      for (const { count } of chunks) {
        // The last one, of the longest, has what is left.
        const seconds = count === undefined ? Number(lengths[0]!.split(' ').at(-1)) : count / 25
        counted.set(seconds, (counted.get(seconds) ?? 0) + 1)
      }
      expect([...counted].map(([seconds, count]) => `${count} of ${seconds}`)).toEqual(lengths)
    },
  )

  test('are begun with in the order of their lengths', () => {
    const frameRate = { num: 25, den: 1 }
    const { chunks, gop } = toChunks({ duration: 124, frameRate }, { segmentS: 2, chunkS: undefined })
    const video = { frameRate, gop, chunks } as unknown as EncodePlan['video']
    const plan = { duration: 124, video }
    expect(chunks.map((chunk) => framesOf(chunk, plan) / 25)).toEqual([30, 30, 16, 16, 8, 4, 20])
    expect(longestFirst(chunks, plan).map(({ index }) => index)).toEqual([0, 1, 6, 2, 3, 4, 5])
    expect(longestFirst(chunks.toReversed(), plan).map(({ index }) => index)).toEqual([1, 0, 6, 3, 2, 4, 5])
  })

  test('have every frame once, whatever the rate and the length', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(ntsc, { num: 25, den: 1 }, { num: 60, den: 1 }, { num: 12_857, den: 1000 }),
        fc.oneof(fc.double({ min: 0.01, max: 20_000, noNaN: true }), fc.double({ min: 119, max: 400, noNaN: true })),
        fc.constantFrom(4, 8, 120, undefined),
        fc.constantFrom(2, 4, 6, 20),
        (frameRate, duration, chunkS, segmentS) => {
          const { gop, chunks } = toChunks({ duration, frameRate }, { segmentS, chunkS })
          expect(chunks.at(-1)!.count).toBeUndefined()
          let next = 0
          for (const { first, count } of chunks) {
            expect(first).toBe(next)
            expect(first % (chunkS === undefined ? (gop * segmentS) / 2 : gop)).toBe(0)
            expect(count ?? 1).toBeGreaterThan(0)
            next += count ?? 0
          }
          // The last one is half as long to once and a half as long as the longest.
          const longest = Math.max(...chunks.map(({ count }) => count ?? 0), (gop * (chunkS ?? 15)) / 2)
          const rest = Math.round((duration * frameRate.num) / frameRate.den) - chunks.at(-1)!.first
          expect(rest).toBeGreaterThanOrEqual(chunks.length === 1 ? 0 : longest / 2 - 1)
          if (duration > 120 || chunkS !== undefined) expect(rest).toBeLessThanOrEqual(longest * 1.5 + 1)
        },
      ),
    )
  })
})

describe('the rate of frames', () => {
  test('is its own, exactly, and halved until it is no more than wanted', () => {
    const of = (num: number, den: number, most = 60) => outputRate({ frameRate: { num, den }, variable: false }, most)
    expect(of(30_000, 1001)).toEqual(ntsc)
    expect(of(2997, 100)).toEqual(ntsc)
    expect(of(120, 1)).toEqual({ num: 60, den: 1 })
    expect(of(60_000, 1001, 30)).toEqual(ntsc)
    expect(of(1, 2)).toEqual({ num: 10, den: 1 })
    expect(of(18, 1)).toEqual({ num: 18, den: 1 })
  })

  test('is a usual one above the mean of frames at times of their own', () => {
    const of = (rate: number) => outputRate({ frameRate: { num: rate, den: 1 }, variable: true }, 60)
    expect([of(13), of(22), of(29), of(51)].map(({ num, den }) => Math.round(num / den))).toEqual([15, 24, 30, 60])
  })

  test('varies when the finest one is not the mean one, but for fields', () => {
    expect(variesFrom({ num: 30, den: 1 }, ntsc, false)).toBe(false)
    expect(variesFrom({ num: 90, den: 1 }, { num: 22, den: 1 }, false)).toBe(true)
    expect(variesFrom({ num: 50, den: 1 }, { num: 25, den: 1 }, true)).toBe(false)
  })
})

test('a turn is one in quarters, clockwise', () => {
  expect([0, 90, -90, 450, 179.2, Number.NaN].map(rotationOf)).toEqual([0, 90, 270, 90, 180, 0])
})
