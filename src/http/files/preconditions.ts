import type { IncomingHttpHeaders } from 'node:http'
import { matchesEtag } from '../etag.ts'

/** What a file is known by. */
export interface Validators {
  /** Strong, with its quotes. */
  readonly etag: string
  /** Epoch milliseconds, whole seconds. */
  readonly modifiedAt: number
}

/**
 * What the conditions of a GET or HEAD come to, in the order of RFC 9110, section 13.2.2: to go on, or to answer that nothing has changed
 * (304), or that something has (412).
 */
export function checkPreconditions(
  headers: IncomingHttpHeaders,
  { etag, modifiedAt }: Validators,
): 304 | 412 | undefined {
  const ifMatch = headers['if-match']
  if (ifMatch !== undefined) {
    if (!matchesStrongly(ifMatch, etag)) return 412
  } else {
    const unmodifiedSince = parseHttpDate(headers['if-unmodified-since'])
    if (unmodifiedSince !== undefined && modifiedAt > unmodifiedSince) return 412
  }
  const ifNoneMatch = headers['if-none-match']
  if (ifNoneMatch !== undefined) return matchesEtag(ifNoneMatch, etag) ? 304 : undefined
  const modifiedSince = parseHttpDate(headers['if-modified-since'])
  return modifiedSince !== undefined && modifiedAt <= modifiedSince ? 304 : undefined
}

/**
 * Whether a Range holds (RFC 9110, section 13.1.5): without If-Range, or when that names our entity tag, compared strongly. A date never
 * does: within its second a file may have changed twice, and the parts of two files would come together.
 */
export function rangeHolds(headers: IncomingHttpHeaders, etag: string): boolean {
  const ifRange = headers['if-range']
  return ifRange === undefined || String(ifRange).trim() === etag
}

/** The strong tags of what has to hold for an answer to be had, or for a part of it: of If-Match, and of the If-Range of a Range. */
export function requiredTags(headers: IncomingHttpHeaders): string[] {
  const ifRange = headers.range === undefined ? undefined : headers['if-range']
  return [...tagsOf(headers['if-match'] ?? ''), ...tagsOf(String(ifRange ?? ''))].filter((tag) => !tag.startsWith('W/'))
}

/** If-Match compares strongly: a weak tag names nothing (section 13.1.1). */
function matchesStrongly(header: string, etag: string): boolean {
  if (header.trim() === '*') return true
  return tagsOf(header).includes(etag)
}

function tagsOf(header: string): string[] {
  return header.match(/(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"/g) ?? []
}

const days = '(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)'
const months = '(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)'
/** The three forms of RFC 9110, section 5.6.7. */
const forms = [
  new RegExp(`^${days}, \\d\\d ${months} \\d{4} \\d\\d:\\d\\d:\\d\\d GMT$`),
  new RegExp(`^(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, \\d\\d-${months}-\\d\\d \\d\\d:\\d\\d:\\d\\d GMT$`),
  new RegExp(`^${days} ${months} [ \\d]\\d \\d\\d:\\d\\d:\\d\\d \\d{4}$`),
]

/** The epoch milliseconds of a date of HTTP; undefined for what is none, which has to be ignored. */
export function parseHttpDate(text: string | undefined): number | undefined {
  const date = text?.trim() ?? ''
  const form = forms.findIndex((pattern) => pattern.test(date))
  if (form < 0) return undefined
  const ms = Date.parse(form === 2 ? `${date} GMT` : date)
  return Number.isNaN(ms) ? undefined : ms
}
