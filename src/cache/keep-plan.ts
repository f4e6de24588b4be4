import { parseDuration, type Duration } from '../core/duration.ts'
import { PlimsollError, showValue } from '../core/errors.ts'
import type { GetOptions } from './types.ts'
import { isNegative, type ValueKind } from './value-codec.ts'

/** The options of one read, checked and in milliseconds. */
export interface KeepPlan {
  readonly tags: readonly string[]
  readonly ttlMs: number
  readonly staleMs: number
  readonly negativeTtlMs: number
  /** The version of the value's form. */
  readonly form: string
  readonly loadTimeoutMs: number
  readonly earlyRefresh: number
}

/** What a read keeps to where its options say nothing. */
export interface KeepDefaults {
  readonly ttlMs: number
  readonly loadTimeoutMs: number
}

const none: readonly string[] = []
const parsed = new Map<string, number>()

/** @throws PLIMSOLL_OPTION_INVALID */
export function planKeep(options: GetOptions | undefined, defaults: KeepDefaults): KeepPlan {
  if (options === undefined) return planNothing(defaults)
  const ttlMs = milliseconds(options.ttl, 'ttl') ?? defaults.ttlMs
  const { tags = none } = options
  if (!Array.isArray(tags)) throw noNames('tags', tags)
  return {
    tags,
    ttlMs,
    staleMs: milliseconds(options.stale, 'stale') ?? 0,
    negativeTtlMs: milliseconds(options.negativeTtl, 'negativeTtl') ?? ttlMs,
    form: options.version === undefined ? '' : String(options.version),
    loadTimeoutMs: milliseconds(options.loadTimeout, 'loadTimeout') ?? defaults.loadTimeoutMs,
    earlyRefresh: part(options.earlyRefresh),
  }
}

function planNothing({ ttlMs, loadTimeoutMs }: KeepDefaults): KeepPlan {
  return { tags: none, ttlMs, staleMs: 0, negativeTtlMs: ttlMs, form: '', loadTimeoutMs, earlyRefresh: 0 }
}

/** Texts are parsed once: there are few, and reads are many. */
function milliseconds(value: Duration | undefined, option: string): number | undefined {
  if (value === undefined) return undefined
  if (typeof value === 'number') return parseDuration(value, option)
  let ms = parsed.get(value)
  if (ms === undefined) {
    ms = parseDuration(value, option)
    if (parsed.size < 1000) parsed.set(value, ms)
  }
  return ms
}

/** Looks whether keys or tags are texts: what is none would be removed from nowhere. @throws PLIMSOLL_OPTION_INVALID */
export function checkNames(option: 'keys' | 'tags', names: readonly unknown[]): void {
  for (const name of names) if (typeof name !== 'string') throw noNames(option, name)
}

function noNames(option: 'keys' | 'tags', value: unknown): PlimsollError {
  return new PlimsollError(
    'PLIMSOLL_OPTION_INVALID',
    `${showValue(value)} was given for ${option} of the cache; give texts: get(key, loader, { tags: ['a'] }), invalidate('a', 'b').`,
    { details: { option } },
  )
}

function part(value: number | undefined): number {
  if (value === undefined) return 0
  if (value >= 0 && value <= 1) return value
  throw new PlimsollError(
    'PLIMSOLL_OPTION_INVALID',
    `earlyRefresh is ${showValue(value)}; give the part of the ttl, from 0 to 1, in which a value is loaded ahead of its end.`,
    { details: { option: 'earlyRefresh' } },
  )
}

/** How long an entry is fresh, and how long after that it may be served while it is loaded anew. */
export interface EntryTimes {
  readonly ttlMs: number
  readonly staleMs: number
}

/** How long a value is kept: one that is none, `null` or `undefined`, for a time of its own, and never stale. */
export function timesOf(plan: KeepPlan, kind: ValueKind): EntryTimes {
  return isNegative(kind)
    ? { ttlMs: jittered(plan.negativeTtlMs), staleMs: 0 }
    : { ttlMs: jittered(plan.ttlMs), staleMs: plan.staleMs }
}

/** Give or take 5 %, so that values that were filled together do not all end together. */
function jittered(ms: number): number {
  return ms * (0.95 + Math.random() * 0.1)
}
