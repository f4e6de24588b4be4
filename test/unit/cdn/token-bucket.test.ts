import fc from 'fast-check'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { retryAfterMs } from '../../../src/cdn/purge/retry-after.ts'
import { TokenBucket } from '../../../src/cdn/purge/token-bucket.ts'

describe('a bucket of tokens', () => {
  test('gives the burst at once, then at its rate, and nothing that would take too long', () => {
    vi.useFakeTimers({ toFake: ['performance'] })
    onTestFinished(() => void vi.useRealTimers())
    const bucket = new TokenBucket({ burst: 3, perSecond: 2 })
    expect([1, 2, 3].map(() => bucket.take(1, 0))).toEqual([0, 0, 0])
    expect(bucket.take(1, 499)).toBeUndefined()
    expect(bucket.take(1, 500)).toBe(500)
    expect(bucket.take(2, 10_000)).toBe(1500)
    vi.advanceTimersByTime(1500)
    expect(bucket.take(1, 10_000)).toBe(500)
    vi.advanceTimersByTime(60_000)
    expect([1, 2, 3, 4].map(() => bucket.take(1, 0))).toEqual([0, 0, 0, undefined])
    expect(bucket.take(100, 10_000)).toBe(1500)
  })

  test('never gives more than its burst and what has come since', () => {
    vi.useFakeTimers({ toFake: ['performance'] })
    onTestFinished(() => void vi.useRealTimers())
    const arbitraryStep = fc.record({
      tokens: fc.integer({ min: 1, max: 5 }),
      passMs: fc.integer({ min: 0, max: 900 }),
    })
    fc.assert(
      fc.property(fc.array(arbitraryStep, { minLength: 1, maxLength: 60 }), (steps) => {
        const bucket = new TokenBucket({ burst: 5, perSecond: 4 })
        const began = performance.now()
        let given = 0
        for (const { tokens, passMs } of steps) {
          const waitMs = bucket.take(tokens, 2000)
          if (waitMs !== undefined) {
            given += tokens
            expect(given).toBeLessThanOrEqual(5 + ((performance.now() + waitMs - began) * 4) / 1000 + 1e-6)
          }
          vi.advanceTimersByTime(passMs)
        }
      }),
    )
  })
})

test.each([
  ['120', 120_000],
  [' 0 ', 0],
  ['Wed, 21 Oct 2015 07:28:00 GMT', 60_000],
  ['Wed, 21 Oct 2015 07:26:00 GMT', 0],
  ['soon', undefined],
  ['-1', undefined],
  [null, undefined],
])('Retry-After %j is %j ms', (value, ms) => {
  expect(retryAfterMs(value, Date.UTC(2015, 9, 21, 7, 27))).toBe(ms)
})
