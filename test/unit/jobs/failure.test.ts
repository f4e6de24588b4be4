import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { PlimsollError } from '../../../src/core/errors.ts'
import { defineJob, type RetryOptions } from '../../../src/jobs/index.ts'
import type { JobDefinition } from '../../../src/jobs/define-job.ts'
import { afterFailure, toFailure } from '../../../src/jobs/worker/failure.ts'

function define(retry: RetryOptions | false = {}): JobDefinition {
  return defineJob('job', { input: z.any(), retry }, () => {}) as JobDefinition
}

/** In how many milliseconds a job is tried again; undefined when it is not. */
function delayAfter(
  error: unknown,
  { retry = {}, attempt = 1 }: { retry?: RetryOptions | false; attempt?: number } = {},
): number | undefined {
  const outcome = afterFailure(define(retry), attempt, error)
  return outcome.state === 'retry' ? outcome.delayMs : undefined
}

const withRetryAfter = (retryAfter: unknown): Error => Object.assign(new Error('later'), { retryAfter })

describe('what becomes of a job that has failed', () => {
  test('the time before the next attempt doubles up to its bound, and half of it is random', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2000 }), (attempt) => {
        const delay = delayAfter(new Error('no'), { retry: { attempts: 3000, first: '1s', most: '10m' }, attempt })
        const full = Math.min(600_000, 1000 * 2 ** (attempt - 1))
        expect(delay).toBeGreaterThanOrEqual(full / 2)
        expect(delay).toBeLessThanOrEqual(full)
      }),
    )
    const delays = Array.from({ length: 50 }, () => delayAfter(new Error('no'), { attempt: 4 }))
    expect(new Set(delays).size).toBeGreaterThan(25)
  })

  test('the time before the second attempt may be longer than what is the most by default', () => {
    for (const attempt of [1, 4]) {
      const delay = delayAfter(new Error('no'), { retry: { first: '1h' }, attempt })
      expect(delay).toBeGreaterThanOrEqual(1_800_000)
      expect(delay).toBeLessThanOrEqual(3_600_000)
    }
    expect(delayAfter(new Error('no'), { retry: { most: '10ms' } })).toBeLessThanOrEqual(10)
  })

  test('a time before the second attempt that is longer than the most is refused', () => {
    const refused = expect.objectContaining({
      code: 'PLIMSOLL_OPTION_INVALID',
      message: expect.stringContaining("retry.most of a job is '10m'; the time before the second attempt"),
    })
    expect(() => define({ first: '1h', most: '10m' })).toThrow(refused)
  })

  test('a server that wants to be left alone for ever is asked again in a century, which every engine can tell', () => {
    expect(delayAfter(withRetryAfter('9'.repeat(400)))).toBe(3e12)
    expect(delayAfter(withRetryAfter(1e300))).toBe(3e12)
  })

  test('there are five attempts, or as many as the job says', () => {
    expect(delayAfter(new Error('no'), { attempt: 4 })).toBeDefined()
    expect(delayAfter(new Error('no'), { attempt: 5 })).toBeUndefined()
    expect(delayAfter(new Error('no'), { retry: { attempts: 2 }, attempt: 2 })).toBeUndefined()
    expect(delayAfter(new Error('no'), { retry: false })).toBeUndefined()
  })

  describe('Retry-After', () => {
    beforeEach(() => void vi.useFakeTimers({ now: new Date('2030-01-01T00:00:00Z'), toFake: ['Date'] }))
    afterEach(() => void vi.useRealTimers())

    test.for([
      ['milliseconds', 1500, 1500],
      ['a Date', new Date('2030-01-01T00:00:10Z'), 10_000],
      ['a Date that is over', new Date('2029-01-01T00:00:00Z'), 0],
      ['seconds, as in a header', '120', 120_000],
      ['a date, as in a header', 'Tue, 01 Jan 2030 00:01:00 GMT', 60_000],
      ['a date that is over', 'Mon, 01 Jan 2029 00:00:00 GMT', 0],
    ] as const)('is heeded as %s', ([, retryAfter, delayMs]) => {
      expect(delayAfter(withRetryAfter(retryAfter))).toBe(delayMs)
    })

    test.for([-1, Number.NaN, Number.POSITIVE_INFINITY, 'soon', '', null, {}])('that is %s is left alone', (value) => {
      const delay = delayAfter(withRetryAfter(value))
      expect(delay).toBeGreaterThanOrEqual(500)
      expect(delay).toBeLessThanOrEqual(1000)
    })

    test('is not heeded once the attempts are used up', () => {
      expect(delayAfter(withRetryAfter(1), { attempt: 5 })).toBeUndefined()
    })
  })

  test('an input that does not fit is not tried again', () => {
    expect(delayAfter(new PlimsollError('PLIMSOLL_JOB_INPUT_INVALID', 'no'))).toBeUndefined()
    expect(delayAfter(Object.assign(new Error('no'), { retryable: false }))).toBeUndefined()
    expect(delayAfter(Object.assign(new Error('no'), { retryable: true }))).toBeDefined()
  })

  test('anything that is thrown becomes a failure that JSON can tell', () => {
    fc.assert(
      fc.property(fc.anything({ withBigInt: true, withDate: true, withNullPrototype: true }), (value) => {
        const failure = toFailure(value)
        expect(typeof failure.message).toBe('string')
        expect(JSON.parse(JSON.stringify(failure))).toEqual(failure)
      }),
    )
    const long = toFailure(new Error('x'.repeat(100_000)))
    expect(long.message).toHaveLength(8000)
    expect(long.stack!.length).toBeLessThanOrEqual(8000)
  })
})
