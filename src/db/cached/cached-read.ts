import type { WireValue } from '../../core/wire.ts'
import type { Executor } from '../../postgres/index.ts'
import type { DbContext } from '../context.ts'
import { boundedStatements } from '../run/bounded-executor.ts'
import type { Shape } from '../shape.ts'
import { compileTags, type TagKind } from './compile-tags.ts'
import { answerKey, type Plan } from './plan-key.ts'
import { Recording, Replay } from './recording.ts'

/** What is read, for the cache. */
export interface CachedPlan {
  readonly shape: Shape
  readonly plan: Plan
  /** What decides the answer beside the statements and their values. */
  readonly kind: string
  readonly tags: TagKind
  readonly values: readonly WireValue[]
  /** Values beside those of the queryset: where a page begins. Default: none. */
  readonly more?: readonly WireValue[] | undefined
}

/**
 * Runs `read`, or lets it run on what the cache has kept of the same read. It is the one way from querysets to the cache: rows stay
 * as the database sent them, and `read` makes of them what was asked for.
 *
 * In a transaction it runs as it is: its own writes must be seen, and must not be shown to others. What is
 * kept comes from a replica (where the queryset asks for one) only when that has replayed all that was committed before the load.
 */
export async function cachedRead<T>(
  context: DbContext,
  { shape, plan, kind, tags, values, more = [] }: CachedPlan,
  read: (executor: Executor) => Promise<T>,
): Promise<T> {
  const { cache, cached, transaction, bounds, door } = context
  if (cache === undefined || cached === undefined || transaction !== undefined || cache.bypassed?.()) {
    return read(context.executor)
  }
  const signal = bounds?.signal
  // It fails as any other read does.
  if (signal?.aborted) return read(context.executor)
  const own: { bytes?: Buffer; result?: T } = {}
  const load = async (loadSignal?: AbortSignal): Promise<Buffer> => {
    // Others wait for the same load: the signal of one reader must not end it.
    const source = (await context.executor.forFill?.()) ?? door
    const executor = new Recording(boundedStatements(source, { signal: loadSignal, timeout: bounds?.timeout }))
    own.result = await read(executor)
    return (own.bytes = executor.toBuffer())
  }
  const bytes = await cache.get(answerKey(plan, kind, [...values, ...more]), load, {
    ...cached,
    signal,
    tags: planTagsOf(context, shape, { tags, values }),
  })
  return own.bytes === bytes ? own.result! : read(new Replay(bytes, context.executor))
}

/** The tags of everything that a read of a shape depends on. */
export function planTagsOf(
  { graph }: Pick<DbContext, 'graph'>,
  shape: Shape,
  { tags, values }: { tags: TagKind; values: readonly WireValue[] },
): readonly string[] {
  return shape.compiled(`tags ${tags}`, (spec) => compileTags(spec, graph, tags))(values)
}
