import { Cron } from 'croner'
import { parseDuration, type Duration } from '../../core/duration.ts'
import { PlimsollError, showValue } from '../../core/errors.ts'

/** When something occurs. Moments are epoch milliseconds. */
export interface Timing {
  /** The same text for the same times. */
  readonly text: string
  /** The first occurrence after a moment; undefined when there is none any more. */
  next(after: number): number | undefined
  /** The last occurrence until a moment, that moment included; `from` is one before it. */
  last(until: number, from: number): number
}

/**
 * Reads a cron expression: five parts, six with seconds before, seven with years behind. Times that a clock skips in spring come when it
 * has skipped them, and those it shows twice in autumn come once, unless the hour is `*`.
 *
 * @throws PLIMSOLL_OPTION_INVALID
 */
export function cronTiming(pattern: string, timeZone = 'UTC'): Timing {
  const cron = openCron(pattern, timeZone)
  return {
    text: `${pattern} ${timeZone}`,
    next: (after) => cron.nextRun(new Date(after))?.getTime(),
    // It looks for what is before a moment, by the second.
    last: (until, from) => cron.previousRuns(1, new Date(Math.floor(until / 1000) * 1000 + 1000))[0]?.getTime() ?? from,
  }
}

/** Every so often, counted from the first occurrence. @throws PLIMSOLL_OPTION_INVALID */
export function intervalTiming(every: Duration): Timing {
  const ms = parseDuration(every, 'every')
  if (ms < 1000) throw invalid('every', every, 'give at least a second')
  return {
    text: `every ${ms}`,
    next: (after) => after + ms,
    last: (until, from) => from + Math.floor((until - from) / ms) * ms,
  }
}

function openCron(pattern: string, timeZone: string): Cron {
  // A date, which would occur once, is no pattern.
  if (!/^(?:@\w+|\S+(?: +\S+){4,6})$/.test(pattern))
    throw invalid('cron', pattern, `give five parts, such as '0 7 * * 1-5'`)
  let next: Date | null
  let cron: Cron
  try {
    cron = new Cron(pattern, { timezone: timeZone, paused: true })
    next = cron.nextRun()
  } catch (error) {
    const zone = isTimeZone(timeZone)
    throw zone
      ? invalid('cron', pattern, `give five parts, such as '0 7 * * 1-5' (${String(error)})`)
      : invalid('timeZone', timeZone, `give the name of a time zone, such as 'Europe/Stockholm'`)
  }
  if (next === null) throw invalid('cron', pattern, 'give one that ever comes')
  return cron
}

function isTimeZone(timeZone: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone }).resolvedOptions().timeZone !== ''
  } catch {
    return false
  }
}

function invalid(option: string, value: unknown, fix: string): PlimsollError {
  return new PlimsollError('PLIMSOLL_OPTION_INVALID', `${option} of a schedule is ${showValue(value)}; ${fix}.`, {
    details: { option },
  })
}
