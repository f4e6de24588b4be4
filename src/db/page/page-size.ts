import { PlimsollError, showValue } from '../../core/errors.ts'

/** The largest page. Beyond it, `iterate` reads in constant memory. */
export const maxPageSize = 10_000

/** @throws PLIMSOLL_PAGE_INVALID unless `value` is a whole number from 1 to `max`. */
export function checkWhole(value: unknown, name: string, max: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= max) return value
  throw new PlimsollError(
    'PLIMSOLL_PAGE_INVALID',
    `The ${name} of a page is a whole number from 1 to ${max}, not ${showValue(value)}.`,
    {
      details: { option: name, max },
    },
  )
}
