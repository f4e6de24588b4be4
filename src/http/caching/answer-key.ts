import { fillExecutor } from '../../db/cached/cached-read.ts'
import { planKey, planTags } from '../../db/dynamic.ts'
import { DynamicQuerySet } from '../../db/dynamic-queryset.ts'
import type { ReadAnswer, Reading } from '../reading.ts'

/** Under which key the answer to a reading is kept, and the tags of all that it depends on. */
export function answerKey({ rows, form }: Reading): { readonly key: string; readonly tags: readonly string[] } {
  return { key: planKey(rows, `json ${form()}`), tags: planTags(rows) }
}

/** Reads an answer that is to be kept for others, until `signal`; undefined when the row is missing. */
export async function readToKeep(reading: Reading, signal: AbortSignal): Promise<ReadAnswer | undefined> {
  const { context, shape, bound } = reading.rows
  const { door } = context
  const executor = { ...(await fillExecutor(context, signal)), transaction: door.transaction.bind(door) }
  return reading.load(new DynamicQuerySet({ ...context, executor, cached: undefined }, shape, bound))
}
