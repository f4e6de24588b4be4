import { PlimsollError, showValue } from '../../core/errors.ts'
import { isJob, type JobDefinition } from '../define-job.ts'
import type { Job } from '../types.ts'
import type {
  AnyFlow,
  ChainInput,
  ChainOutput,
  ChainSteps,
  ChunkSource,
  Fits,
  Flow,
  FlowInput,
  FlowOutput,
  GroupInput,
  GroupOutput,
} from './types.ts'

/** A workflow as it is kept until it is started. */
export type FlowNode = JobNode | ChainNode | GroupNode | ChunksNode

export interface JobNode {
  readonly kind: 'job'
  readonly job: JobDefinition
  /** Without it the step takes what the one before gives. */
  readonly given: { readonly input: unknown } | undefined
}

export interface ChainNode {
  readonly kind: 'chain'
  readonly flows: readonly FlowNode[]
}

export interface GroupNode {
  readonly kind: 'group'
  readonly flows: readonly FlowNode[]
}

export interface ChunksNode {
  readonly kind: 'chunks'
  readonly source: ChunkSource<unknown>
  readonly size: number
  readonly job: JobDefinition
  readonly toInput: (rows: unknown[]) => unknown
}

/**
 * One after another: each takes what the one before gives, unless it has an input of its own.
 *
 * @throws PLIMSOLL_OPTION_INVALID
 * @example
 * await app.jobs.start(chain(fetchPage.step({ url }), extractText.step(), store.step()))
 */
export function chain<const Steps extends readonly AnyFlow[]>(
  ...steps: ChainSteps<Steps>
): Flow<ChainInput<Steps>, ChainOutput<Steps>> {
  if (steps.length === 0) throw invalid('chain', 'has no steps; give it one')
  return toFlow({ kind: 'chain', flows: steps.map((step) => nodeOf(step, 'chain')) })
}

/**
 * Side by side: comes to what they give, in the order they are named in, when the last one has ended. All that have no input of
 * their own take the same.
 *
 * @throws PLIMSOLL_OPTION_INVALID
 * @example
 * await app.jobs.start(group(...sizes.map((size) => resize.step({ file, size }))))
 */
export function group<const Flows extends readonly AnyFlow[]>(
  ...flows: Flows
): Flow<GroupInput<Flows>, GroupOutput<Flows>> {
  return toFlow({ kind: 'group', flows: flows.map((flow) => nodeOf(flow, 'group')) })
}

/**
 * A group, then what takes all that it gives: the same as a chain of the two.
 *
 * @throws PLIMSOLL_OPTION_INVALID
 * @example
 * await app.jobs.start(chord(group(count.step({ part: 1 }), count.step({ part: 2 })), sum.step()))
 */
export function chord<Group extends Flow<never, readonly unknown[]>, Callback extends AnyFlow>(
  flows: Group,
  callback: Callback & Fits<Group, Callback>,
): Flow<FlowInput<Group>, FlowOutput<Callback>> {
  return toFlow({ kind: 'chain', flows: [nodeOf(flows, 'chord'), nodeOf(callback, 'chord')] })
}

/** How a source is cut into jobs. */
export type ChunkOptions<Row, In, Out> = {
  /** How many rows a job is given. Default 500. */
  readonly size?: number | undefined
  readonly job: Job<In, Out>
} & ([Row[]] extends [In]
  ? {
      /** What the job is given of some rows. Default: the rows. */
      readonly input?: ((rows: Row[]) => In) | undefined
    }
  : {
      /** What the job is given of some rows. */
      readonly input: (rows: Row[]) => In
    })

/**
 * A job for every so many rows of a queryset, or of anything that can be iterated: a group of them. It is read when the workflow is
 * started, in constant memory, and within the transaction that starts it.
 *
 * @throws PLIMSOLL_OPTION_INVALID
 * @example
 * await app.jobs.start(chord(mapChunks(app.db.users.only('id'), { size: 500, job: remind, input: (users) => ({ users }) }), summary.step()))
 */
export function mapChunks<Row, In, Out>(
  source: ChunkSource<Row>,
  options: ChunkOptions<Row, In, Out>,
): Flow<unknown, Out[]> {
  const { size = 500, job, input = (rows: Row[]) => rows } = options
  if (!isJob(job)) throw invalid('mapChunks', `has ${showValue(job)} for a job; give what defineJob() returns`)
  if (!Number.isSafeInteger(size) || size < 1)
    throw invalid('mapChunks', `has size ${size}; give a whole number from 1`)
  return toFlow({ kind: 'chunks', source, size, job, toInput: input as (rows: unknown[]) => unknown })
}

/** What is in a workflow. @throws PLIMSOLL_OPTION_INVALID for what is none */
export function nodeOf(flow: unknown, place: string): FlowNode {
  const kind = typeof flow === 'object' && flow !== null && 'kind' in flow ? flow.kind : undefined
  if (['job', 'chain', 'group', 'chunks'].includes(kind as string)) return flow as FlowNode
  throw invalid(place, `has ${showValue(flow)} for a step; give job.step(), chain(), group(), chord() or mapChunks()`)
}

function toFlow<In, Out>(node: FlowNode): Flow<In, Out> {
  return Object.freeze(node)
}

function invalid(place: string, problem: string): PlimsollError {
  return new PlimsollError('PLIMSOLL_OPTION_INVALID', `${place} ${problem}.`, { details: { option: place } })
}
