import fc from 'fast-check'
import { expect, test } from 'vitest'
import { laterPosition, reaches, toWalPosition } from '../../../src/postgres/replicas/wal-position.ts'

const lsn = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n })
const timeline = fc.integer({ min: 1, max: 2 ** 32 - 1 })

/** An LSN as PostgreSQL writes it. */
function written(value: bigint): string {
  return `${(value >> 32n).toString(16)}/${(value & 0xffffffffn).toString(16)}`.toUpperCase()
}

test('positions are ordered as texts: by timeline, then by LSN', () => {
  fc.assert(
    fc.property(timeline, lsn, timeline, lsn, (oneTimeline, oneLsn, otherTimeline, otherLsn) => {
      const one = toWalPosition(oneTimeline, written(oneLsn))
      const other = toWalPosition(otherTimeline, written(otherLsn))
      expect(one).toMatch(/^[\dA-F]{24}$/)
      const later = oneTimeline > otherTimeline || (oneTimeline === otherTimeline && oneLsn > otherLsn)
      expect(one > other).toBe(later)
      expect(laterPosition(one, other)).toBe(later ? one : other)
    }),
  )
})

test('a server reaches a position when neither its timeline nor its LSN is before it', () => {
  fc.assert(
    fc.property(timeline, lsn, timeline, lsn, (hasTimeline, hasLsn, wantedTimeline, wantedLsn) => {
      const has = toWalPosition(hasTimeline, written(hasLsn))
      const wanted = toWalPosition(wantedTimeline, written(wantedLsn))
      expect(reaches(has, wanted)).toBe(hasTimeline >= wantedTimeline && hasLsn >= wantedLsn)
    }),
  )
})

test('is taken back over the header of a page', () => {
  expect(toWalPosition(1, '2/28', 40)).toBe('000000010000000200000000')
  expect(toWalPosition(1, '0/2018', 24)).toBe('000000010000000000002000')
})
