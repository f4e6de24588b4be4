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
    [120, 1],
    [122, 4],
    [720, 24],
    [16 * 60, 32],
    [45 * 60, 32],
    [64 * 60, 32],
    [6 * 3600, 180],
  ])('of %i seconds are %i when nobody has said how long they are to be', (duration, count) => {
    for (const segmentS of [2, 6])
      expect(
        toChunks({ duration, frameRate: { num: 25, den: 1 } }, { segmentS, chunkS: undefined }).chunks,
      ).toHaveLength(count)
  })

  test('have every frame once, whatever the rate and the length', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(ntsc, { num: 25, den: 1 }, { num: 60, den: 1 }, { num: 12_857, den: 1000 }),
        fc.double({ min: 0.01, max: 20_000, noNaN: true }),
        fc.constantFrom(4, 8, 120),
        (frameRate, duration, chunkS) => {
          const { gop, chunks } = toChunks({ duration, frameRate }, { segmentS: 2, chunkS })
          expect(chunks.at(-1)!.count).toBeUndefined()
          let next = 0
          for (const { first, count } of chunks) {
            expect(first).toBe(next)
            expect(first % gop).toBe(0)
            next += count ?? 0
          }
          // The last one is half as long to once and a half as long as the others.
          const rest = (duration * frameRate.num) / frameRate.den - chunks.at(-1)!.first
          expect(rest).toBeLessThanOrEqual(((gop * chunkS) / 2) * 1.5 + 1)
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
