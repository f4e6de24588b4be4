import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { backoffMs } from '../../../src/core/backoff.ts'

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
