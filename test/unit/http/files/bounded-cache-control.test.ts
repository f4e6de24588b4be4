import { expect, test } from 'vitest'
import { boundedCacheControl } from '../../../../src/http/files/bounded-cache-control.ts'

test.each([
  ['public, max-age=31536000, immutable', 'private, max-age=60, immutable', 'public, max-age=60, immutable'],
  ['public, max-age=10', 'private, max-age=10', 'public, max-age=10'],
  ['Public, Max-Age="600", s-maxage=900', 'private, max-age=60', 'public, max-age=60, s-maxage=60'],
  ['s-maxage=900', 'private, no-cache', 'public, s-maxage=60, no-cache'],
  ['max-age=600, stale-while-revalidate=86400, stale-if-error=9', 'private, max-age=60', 'private, max-age=60'],
  ['private="set-cookie, x", max-age=soon', 'private, max-age=0', 'private, max-age=0'],
  ['public', 'private, no-cache', 'public, no-cache'],
  ['no-store', 'private, no-store', 'private, no-store'],
  ['private, no-cache', 'private, no-cache', 'private, no-cache'],
  ['', 'private, no-cache', 'private, no-cache'],
])('%j, for a minute, is for one %j, and for many %j', (control, one, many) => {
  expect(boundedCacheControl(control, { leftS: 60, shared: false })).toBe(one)
  expect(boundedCacheControl(control, { leftS: 60, shared: true })).toBe(many)
})
