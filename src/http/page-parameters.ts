import { listNames, PlimsollError, showValue } from '../core/errors.ts'
import type { Total } from '../db/types/result.ts'
import { cut } from './query-string.ts'
import type { ResourceSpec } from './resource-spec.ts'

/** Which page of a list: by cursor, or by number. */
export type PageRequest =
  | { readonly mode: 'cursor'; readonly size: number; readonly total: Total | undefined }
  | { readonly mode: 'page'; readonly size: number; readonly total: Total | undefined; readonly page: number }

/**
 * Reads `size`, `page` and `total`; `cursor` says whether the request has an `after` or `before`.
 *
 * @throws PLIMSOLL_PAGE_INVALID, PLIMSOLL_PARAMETER_INVALID
 */
export function parsePage(
  parameters: ReadonlyMap<string, string>,
  spec: ResourceSpec,
  { cursor }: { cursor: boolean },
): PageRequest {
  const size = readWhole(parameters.get('size'), 'size', { fallback: spec.size.default, most: spec.size.max })
  const total = readTotal(parameters.get('total'), spec)
  const number = parameters.get('page')
  if (number !== undefined && cursor) {
    throw new PlimsollError(
      'PLIMSOLL_PAGE_INVALID',
      `'page' counts pages and 'after' and 'before' are cursors; send one or the other.`,
      {
        details: { parameter: 'page' },
      },
    )
  }
  if (number === undefined && spec.pagination !== 'page') return { mode: 'cursor', size, total }
  const most = Math.max(1, Math.floor(spec.maxDepth / size))
  const page = readWhole(number, 'page', { fallback: 1, most })
  return { mode: 'page', size, total, page }
}

function readWhole(
  text: string | undefined,
  parameter: string,
  { fallback, most }: { fallback: number; most: number },
): number {
  if (text === undefined) return fallback
  const value = /^[1-9]\d{0,9}$/.test(text) ? Number(text) : 0
  if (value >= 1 && value <= most) return value
  throw new PlimsollError(
    'PLIMSOLL_PAGE_INVALID',
    `'${parameter}' is ${showValue(text)}; give a whole number from 1 to ${most}.`,
    {
      details: { parameter, minimum: 1, maximum: most },
    },
  )
}

function readTotal(text: string | undefined, spec: ResourceSpec): Total | undefined {
  if (text === undefined) return undefined
  if ((spec.totals as readonly string[]).includes(text)) return text as Total
  throw new PlimsollError(
    'PLIMSOLL_PARAMETER_INVALID',
    `'total' is '${cut(text)}'; it can be ${listNames(spec.totals)}.`,
    { details: { parameter: 'total', allowed: spec.totals } },
  )
}
