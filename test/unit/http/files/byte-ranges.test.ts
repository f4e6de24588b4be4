import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseRanges } from '../../../../src/http/files/byte-ranges.ts'

describe('a Range header', () => {
  test.each([
    ['bytes=0-4', [{ first: 0, last: 4 }]],
    ['bytes=995-', [{ first: 995, last: 999 }]],
    ['bytes=-5', [{ first: 995, last: 999 }]],
    // A suffix that is longer than the file is all of it.
    ['bytes=-5000', [{ first: 0, last: 999 }]],
    ['bytes=990-5000', [{ first: 990, last: 999 }]],
    ['BYTES = 0-4', undefined],
    [
      'bytes=0-4, 500-504',
      [
        { first: 0, last: 4 },
        { first: 500, last: 504 },
      ],
    ],
    [
      'bytes=500-504,0-4',
      [
        { first: 500, last: 504 },
        { first: 0, last: 4 },
      ],
    ],
    // Overlapping, touching, and nearly so.
    ['bytes=0-9,5-19,20-29,100-109', [{ first: 0, last: 109 }]],
    [
      'bytes=500-509,505-600,0-1',
      [
        { first: 500, last: 600 },
        { first: 0, last: 1 },
      ],
    ],
    ['bytes=,0-4,,', [{ first: 0, last: 4 }]],
    ['bytes=0-0,2000-3000', [{ first: 0, last: 0 }]],
  ])('%s of 1000 bytes', (header, ranges) => {
    expect(parseRanges(header, 1000)).toEqual(ranges)
  })

  test.each(['bytes=1000-', 'bytes=1000-2000', 'bytes=-0', `bytes=${'9'.repeat(400)}-`])(
    '%s is nowhere in 1000 bytes',
    (header) => {
      expect(parseRanges(header, 1000)).toEqual([])
    },
  )

  test.each([
    'bytes=4-2',
    'bytes=a-b',
    'bytes=',
    'bytes=-',
    'bytes=1',
    'bytes=--1',
    'pages=1-2',
    'bytes=0-1;2',
    'bytes=0x1-2',
    '',
  ])('%j asks for nothing that we know', (header) => {
    expect(parseRanges(header, 1000)).toBeUndefined()
  })

  test('has nothing to take of an empty file', () => {
    expect(parseRanges('bytes=0-', 0)).toEqual([])
    expect(parseRanges('bytes=-5', 0)).toBeUndefined()
  })

  test('of ten thousand ranges is few, or none', () => {
    const same = Array.from({ length: 10_000 }, () => '0-').join(',')
    expect(parseRanges(`bytes=${same}`, 1000)).toEqual([{ first: 0, last: 999 }])
    const apart = Array.from({ length: 10_000 }, (_, at) => `${at * 1000}-${at * 1000}`).join(',')
    expect(parseRanges(`bytes=${apart}`, 1e9)).toEqual([])
  })

  test('never comes to more bytes than the file has, nor to ranges that overlap', () => {
    const spec = fc.oneof(
      fc.tuple(fc.nat(1500), fc.nat(1500)).map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`),
      fc.nat(1500).map((first) => `${first}-`),
      fc.nat(1500).map((length) => `-${length}`),
    )
    fc.assert(
      fc.property(fc.array(spec, { minLength: 1, maxLength: 60 }), fc.integer({ min: 1, max: 1000 }), (specs, size) => {
        const ranges = parseRanges(`bytes=${specs.join(',')}`, size)!
        const sorted = ranges.toSorted((a, b) => a.first - b.first)
        for (const [at, { first, last }] of sorted.entries()) {
          expect(first).toBeLessThanOrEqual(last)
          expect(last).toBeLessThan(size)
          if (at > 0) expect(first).toBeGreaterThan(sorted[at - 1]!.last + 1)
        }
      }),
    )
  })
})
