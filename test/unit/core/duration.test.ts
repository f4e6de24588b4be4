import { describe, expect, test } from 'vitest'
import { parseDuration, type Duration } from '../../../src/core/duration.ts'

describe('a duration', () => {
  test.each<[Duration, number]>([
    [0, 0],
    [1.5, 1.5],
    ['250ms', 250],
    ['1.5s', 1500],
    ['5m', 300_000],
    ['2h', 7_200_000],
    ['1d', 86_400_000],
  ])('of %o is %d milliseconds', (given, ms) => {
    expect(parseDuration(given, 'ttl')).toBe(ms)
  })

  test.each([-1, Number.NaN, Number.POSITIVE_INFINITY, '', '5', '5 m', '-5m', '5w', 'm', '1e3s', null])(
    'of %o is refused by the name of its option',
    (given) => {
      expect(() => parseDuration(given as Duration, 'ttl')).toThrow(/^ttl is .*; give milliseconds or text such as/)
    },
  )
})
