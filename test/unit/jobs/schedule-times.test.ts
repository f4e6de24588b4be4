import { expect, test } from 'vitest'
import { dueOccurrences, type MissedPolicy } from '../../../src/jobs/schedule/due-occurrences.ts'
import { cronTiming, intervalTiming, type Timing } from '../../../src/jobs/schedule/timing.ts'

const ms = (time: string): number => Date.parse(time)
const iso = (time: number | undefined): string | undefined =>
  time === undefined ? undefined : new Date(time).toISOString().replace(':00.000Z', 'Z')

/** The first occurrences after a moment. */
function first(timing: Timing, after: string, count: number): (string | undefined)[] {
  const found: (string | undefined)[] = []
  let at: number | undefined = ms(after)
  while (found.length < count && at !== undefined) found.push(iso((at = timing.next(at))))
  return found
}

const at0230 = cronTiming('30 2 * * *', 'Europe/Stockholm')

test('a time that the clock skips in spring comes when it has skipped it', () => {
  // From 02:00 to 03:00 on 29 March 2026.
  expect(first(at0230, '2026-03-28T00:00Z', 3)).toEqual(['2026-03-28T01:30Z', '2026-03-29T01:00Z', '2026-03-30T00:30Z'])
})

test('a time that the clock shows twice in autumn comes once', () => {
  // From 03:00 back to 02:00 on 25 October 2026.
  expect(first(at0230, '2026-10-24T00:00Z', 3)).toEqual(['2026-10-24T00:30Z', '2026-10-25T00:30Z', '2026-10-26T01:30Z'])
})

test('every half hour is every half hour, whatever the clock shows', () => {
  const half = cronTiming('*/30 * * * *', 'Europe/Stockholm')
  expect(first(half, '2026-10-24T23:45Z', 6)).toEqual([
    '2026-10-25T00:00Z',
    '2026-10-25T00:30Z',
    '2026-10-25T01:00Z',
    '2026-10-25T01:30Z',
    '2026-10-25T02:00Z',
    '2026-10-25T02:30Z',
  ])
  expect(first(half, '2026-03-29T00:15Z', 4)).toEqual([
    '2026-03-29T00:30Z',
    '2026-03-29T01:00Z',
    '2026-03-29T01:30Z',
    '2026-03-29T02:00Z',
  ])
})

test('a zone whose midnight is skipped has its day begin behind it', () => {
  const midnight = cronTiming('0 0 * * *', 'America/Santiago')
  // Chile goes from 24:00 to 01:00 on 6 September 2026.
  expect(first(midnight, '2026-09-05T12:00Z', 2)).toEqual(['2026-09-06T04:00Z', '2026-09-07T03:00Z'])
})

test('the last occurrence until a moment includes that moment, and looks over the fold', () => {
  const from = ms('2026-10-20T00:30Z')
  expect(iso(at0230.last(ms('2026-10-25T00:30Z'), from))).toBe('2026-10-25T00:30Z')
  expect(iso(at0230.last(ms('2026-10-25T00:29:59.999Z'), from))).toBe('2026-10-24T00:30Z')
  expect(iso(at0230.last(ms('2026-10-25T02:00Z'), from))).toBe('2026-10-25T00:30Z')
})

test('an interval goes on from its own occurrences, and does not drift', () => {
  const hourly = intervalTiming('1h')
  expect(first(hourly, '2026-01-01T00:07Z', 2)).toEqual(['2026-01-01T01:07Z', '2026-01-01T02:07Z'])
  expect(iso(hourly.last(ms('2026-01-01T05:06Z'), ms('2026-01-01T00:07Z')))).toBe('2026-01-01T04:07Z')
})

test.each([
  ['* * * *', 'UTC', /^cron of a schedule is '\* \* \* \*'; give five parts/],
  ['61 * * * *', 'UTC', /^cron of a schedule is '61 \* \* \* \*'; give five parts/],
  ['0 0 30 2 *', 'UTC', /give one that ever comes/],
  ['2026-01-01T00:00:00', 'UTC', /^cron of a schedule is/],
  ['* * * * *', 'Mars/Base', /^timeZone of a schedule is 'Mars\/Base'/],
])('%s in %s is refused', (pattern, zone, message) => {
  expect(() => cronTiming(pattern, zone)).toThrow(message)
})

test('an interval of less than a second is refused', () => {
  expect(() => intervalTiming('200ms')).toThrow(`every of a schedule is '200ms'; give at least a second.`)
})

const cases: readonly [MissedPolicy, late: string, run: string[], next: string][] = [
  ['skip', '2026-01-01T07:00:20Z', ['2026-01-01T07:00Z'], '2026-01-01T08:00Z'],
  ['once', '2026-01-01T07:00:20Z', ['2026-01-01T07:00Z'], '2026-01-01T08:00Z'],
  ['all', '2026-01-01T07:00:20Z', ['2026-01-01T07:00Z'], '2026-01-01T08:00Z'],
  // Nobody was there at 7, 8 and 9.
  ['skip', '2026-01-01T09:10Z', [], '2026-01-01T10:00Z'],
  ['once', '2026-01-01T09:10Z', ['2026-01-01T09:00Z'], '2026-01-01T10:00Z'],
  ['all', '2026-01-01T09:10Z', ['2026-01-01T07:00Z', '2026-01-01T08:00Z', '2026-01-01T09:00Z'], '2026-01-01T10:00Z'],
  // Back right at the next one.
  ['skip', '2026-01-01T09:00:01Z', ['2026-01-01T09:00Z'], '2026-01-01T10:00Z'],
]
test.each(cases)('%s, when it is due at 7 and looked at at %s', (missed, now, run, next) => {
  for (const timing of [cronTiming('0 * * * *'), intervalTiming('1h')]) {
    const due = dueOccurrences(timing, { due: ms('2026-01-01T07:00Z'), now: ms(now), missed })
    expect(due.run.map(iso)).toEqual(run)
    expect(iso(due.next)).toBe(next)
  }
})

test('many that were missed are made up for a hundred at a time, none of them twice', () => {
  const timing = intervalTiming('1s')
  const now = ms('2026-01-01T00:04:00Z')
  const run: number[] = []
  let next: number | undefined = ms('2026-01-01T00:00:01Z')
  let rounds = 0
  while (next! <= now) {
    const due = dueOccurrences(timing, { due: next!, now, missed: 'all' })
    run.push(...due.run)
    next = due.next
    rounds++
  }
  expect(rounds).toBe(3)
  expect(new Set(run).size).toBe(240)
  expect(run).toHaveLength(240)
})
