import { planKey, planTags, type AnyQuerySet } from '../../db/dynamic.ts'
import { DynamicQuerySet } from '../../db/dynamic-queryset.ts'
import { boundedExecutor } from '../../db/run/bounded-executor.ts'
import type { Reading } from '../reading.ts'

/** Under which key the answer to a reading is kept, and the tags of all that it depends on. */
export function answerKey({ rows, form }: Reading): { readonly key: string; readonly tags: readonly string[] } {
  return { key: planKey(rows, `json ${form()}`), tags: planTags(rows) }
}

/**
 * The same rows, to be kept for others: read by the primary, because what a replica has not heard of yet would be kept for long,
 * and until `signal`, because the bounds of one reader are not those of all.
 */
export function rowsToKeep({ context, shape, bound }: AnyQuerySet, signal: AbortSignal): AnyQuerySet {
  const executor = boundedExecutor(context.door, { ...context.bounds, signal })
  return new DynamicQuerySet({ ...context, executor, cached: undefined }, shape, bound)
}
