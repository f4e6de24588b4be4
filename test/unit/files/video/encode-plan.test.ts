import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { timeOf, toChunks } from '../../../../src/files/video/encode-plan.ts'
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
    [120, 2, { 120: 1 }],
    [122, 2, { 30: 3, 16: 1, 8: 2 }],
    [720, 2, { 30: 16, 16: 10, 8: 10 }],
    [720, 6, { 30: 16, 18: 9, 12: 4, 6: 5 }],
    [64 * 60, 2, { 120: 21, 60: 15, 30: 9, 16: 6, 8: 7 }],
    [6 * 3600, 2, { 120: 120, 60: 80, 30: 53, 16: 34, 8: 33 }],
  ])(
    'of %i seconds are shorter towards the end when nobody has said how long they are to be',
    (duration, segmentS, lengths) => {
      const { chunks } = toChunks({ duration, frameRate: { num: 25, den: 1 } }, { segmentS, chunkS: undefined })
      const counted: Record<number, number> = {}
      let before = Infinity
      for (const { count } of chunks) {
        // The last one has what is left.
        const seconds = count === undefined ? Math.min(before, ...Object.keys(lengths).map(Number)) : count / 25
        expect(seconds).toBeLessThanOrEqual(before)
        counted[seconds] = (counted[seconds] ?? 0) + 1
        before = seconds
      }
      expect(counted).toEqual(lengths)
    },
  )

  test('have every frame once, whatever the rate and the length', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(ntsc, { num: 25, den: 1 }, { num: 60, den: 1 }, { num: 12_857, den: 1000 }),
        fc.double({ min: 0.01, max: 20_000, noNaN: true }),
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
          // The last one is half as long to once and a half as long as the others, or as the shortest of them.
          const rest = (duration * frameRate.num) / frameRate.den - chunks.at(-1)!.first
          const usual = chunkS ?? (duration <= 120 ? 120 : Math.max(8, segmentS))
          expect(rest).toBeGreaterThan(0)
          expect(rest).toBeLessThanOrEqual(((gop * usual) / 2) * 1.5 + 1)
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
