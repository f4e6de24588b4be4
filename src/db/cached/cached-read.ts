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
 * In a transaction it runs as it is: its own writes must be seen, and must not be shown to others.
 */
export async function cachedRead<T>(
  context: DbContext,
  { shape, plan, kind, tags, values, more = [] }: CachedPlan,
  read: (executor: Executor) => Promise<T>,
): Promise<T> {
  const { cache, cached, transaction, bounds } = context
  if (cache === undefined || cached === undefined || transaction !== undefined || cache.bypassed?.()) {
    return read(context.executor)
  }
  const signal = bounds?.signal
  // It fails as any other read does.
  if (signal?.aborted) return read(context.executor)
  const own: { bytes?: Buffer; result?: T } = {}
  const load = async (loadSignal?: AbortSignal): Promise<Buffer> => {
    const executor = new Recording(await fillExecutor(context, loadSignal))
    own.result = await read(executor)
    return (own.bytes = executor.toBuffer())
  }
  const key = answerKey(plan, kind, { values: [...values, ...more], database: cache.database })
  const bytes = await cache.get(key, load, {
    ...cached,
    signal,
    tags: planTagsOf(context, shape, { tags, values }),
  })
  return own.bytes === bytes ? own.result! : read(new Replay(bytes, context.executor))
}

/**
 * Runs the statements of one read whose answer is kept for all, and who wait for it together: within the time-out of the queryset, but
 * not its signal, which is one reader's. On a replica, where the queryset asks for one, that has all that is committed by now, because
 * what it has not heard of yet would be kept for long; else on the primary.
 */
export async function fillExecutor(
  { executor, door, bounds }: DbContext,
  signal: AbortSignal | undefined,
): Promise<Executor> {
  const source = (await executor.forFill?.()) ?? door
  return boundedStatements(source, { signal, timeout: bounds?.timeout })
}

/** The tags of everything that a read of a shape depends on. */
export function planTagsOf(
  { graph }: Pick<DbContext, 'graph'>,
  shape: Shape,
  { tags, values }: { tags: TagKind; values: readonly WireValue[] },
): readonly string[] {
  return shape.compiled(`tags ${tags}`, (spec) => compileTags(spec, graph, tags))(values)
}
