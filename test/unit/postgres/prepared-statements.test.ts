import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { backoffMs } from '../../../src/postgres/backoff.ts'
import { PreparedStatements } from '../../../src/postgres/prepared-statements.ts'

describe('the prepared statements of a session', () => {
  test('are bounded, and the one that was used least recently makes room', () => {
    const prepared = new PreparedStatements(2)
    expect(prepared.add('a')).toBeUndefined()
    expect(prepared.add('b')).toBeUndefined()
    expect(prepared.use('a')).toBe('asked')
    prepared.confirm('a')
    expect(prepared.use('a')).toBe('confirmed')
    expect(prepared.add('c')).toBe('b')
    expect(prepared.use('b')).toBeUndefined()
    expect(prepared.size).toBe(2)
  })
})

describe('backing off', () => {
  test('doubles up to its bound, and takes off at most a half', () => {
    const limits = { firstMs: 100, mostMs: 5000 }
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1000 }), (attempt) => {
        const full = Math.min(5000, 100 * 2 ** (attempt - 1))
        const delay = backoffMs(attempt, limits)
        expect(delay).toBeGreaterThanOrEqual(full / 2)
        expect(delay).toBeLessThanOrEqual(full)
      }),
    )
  })
})
