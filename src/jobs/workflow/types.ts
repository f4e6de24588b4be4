import type { Duration } from '../../core/duration.ts'
import type { JobFailure } from '../contract.ts'

declare const flowTypes: unique symbol

/**
 * Work in steps: a step of a job, or steps one after another or side by side. `In` is what it has to be given; `unknown` when it has
 * its input already. `Out` is what it comes to.
 */
export interface Flow<In = never, Out = unknown> {
  readonly kind: 'job' | 'chain' | 'group' | 'chunks'
  readonly [flowTypes]?: { readonly takes: (input: In) => void; readonly gives: Out }
}

/** Any workflow, whatever it takes and gives. */
export type AnyFlow = Flow
/** What a workflow has to be given. */
export type FlowInput<F> = F extends Flow<infer In> ? In : never
/** What a workflow comes to. */
export type FlowOutput<F> = F extends Flow<never, infer Out> ? Out : never

/** What a step is told that does not fit behind the one before it. */
export interface Misfit<Gives, Takes, Advice extends string> {
  readonly [flowTypes]: { readonly gives: Gives; readonly takes: Takes; readonly advice: Advice }
}

/** `unknown` for a step that takes what `Before` gives. */
export type Fits<Before, Step> = [FlowOutput<Before>] extends [FlowInput<Step>]
  ? unknown
  : Misfit<
      FlowOutput<Before>,
      FlowInput<Step>,
      'The step before gives the first, this step takes the second: give it an input of its own, or put a job between them'
    >

/** The first step of a chain takes what the chain is given. */
type Behind<Steps extends readonly unknown[], K extends keyof Steps> = K extends keyof ['', ...Steps]
  ? ['', ...Steps][K] extends AnyFlow
    ? Fits<['', ...Steps][K], Steps[K]>
    : unknown
  : unknown

/** The steps of a chain, each of which takes what the one before gives. */
export type ChainSteps<Steps extends readonly AnyFlow[]> = { [K in keyof Steps]: Steps[K] & Behind<Steps, K> }
export type ChainInput<Steps extends readonly AnyFlow[]> = Steps extends readonly [infer First, ...unknown[]]
  ? FlowInput<First>
  : FlowInput<Steps[number]>
export type ChainOutput<Steps extends readonly AnyFlow[]> = Steps extends readonly [...unknown[], infer Last]
  ? FlowOutput<Last>
  : FlowOutput<Steps[number]>

/** All of a group are given the same. */
export type GroupInput<Flows extends readonly AnyFlow[]> = (
  Flows[number] extends infer F ? (F extends AnyFlow ? (takes: FlowInput<F>) => void : never) : never
) extends (takes: infer All) => void
  ? All
  : never
export type GroupOutput<Flows extends readonly AnyFlow[]> = { -readonly [K in keyof Flows]: FlowOutput<Flows[K]> }

/** What is read in chunks: a queryset, or anything that can be iterated. */
export type ChunkSource<Row> =
  | AsyncIterable<Row>
  | Iterable<Row>
  | { iterate(options?: { readonly chunkSize?: number }): AsyncIterable<Row> }

/** How a workflow is started. */
export interface StartOptions<In = unknown> {
  /** What its first steps are given that have no input of their own. */
  readonly input?: In | undefined
  /** Whose it is: the tenants of a queue take turns. */
  readonly tenant?: string | undefined
  /** Who may see its jobs over HTTP. */
  readonly owner?: string | undefined
  /** How long what came of it is kept once it is done or cancelled. Default `'1h'`. */
  readonly keep?: Duration | undefined
  /** How long it is kept once a step of it has failed for good. Default `'14d'`. */
  readonly keepFailed?: Duration | undefined
}

/** The options of `start`: without an input they can be left out where none is needed. */
export type StartArguments<In> = unknown extends In
  ? [options?: StartOptions]
  : [options: StartOptions<In> & { readonly input: In }]

/** A workflow that was started. */
export interface FlowHandle<Out = unknown> {
  readonly id: string
  /**
   * Resolves to what it comes to, as JSON gives it back.
   *
   * @throws PLIMSOLL_JOB_FAILED when a step has failed for good; PLIMSOLL_JOB_CANCELLED when it was cancelled; PLIMSOLL_JOB_UNKNOWN when it is not kept any
   *   more; PLIMSOLL_JOB_TIMEOUT when it has not ended within `timeout` (default: no limit); PLIMSOLL_JOBS_CLOSED
   *   when the jobs of this process are closed before; PLIMSOLL_JOB_IN_TRANSACTION
   *   when the caller runs in a transaction
   */
  result(options?: { readonly timeout?: Duration; readonly signal?: AbortSignal }): Promise<Out>
  /** How far it is, with its first steps: 1000 of them unless `steps` says otherwise. */
  status(options?: { readonly steps?: number }): Promise<FlowStatus | undefined>
  /** Ends it, with all steps that wait or run; false when it has ended already. */
  cancel(): Promise<boolean>
  /**
   * Goes on with what has failed or was cancelled, and not with what is done; false when there is nothing to go on with. A step that has
   * failed because it was given too much is refused again.
   */
  retry(): Promise<boolean>
}

/** How a workflow is. `failed`: a step has failed for good, and what depends on it does not begin; the others go on. */
export type FlowState = 'running' | 'done' | 'failed' | 'cancelled'
export type FlowStepState = 'blocked' | 'running' | 'done' | 'failed' | 'cancelled'

/** What is known of a workflow. Times are epoch milliseconds by the database's clock. */
export interface FlowStatus {
  readonly id: string
  readonly state: FlowState
  readonly createdAt: number
  readonly endedAt: number | undefined
  /** What it comes to, once it is done. */
  readonly output: unknown
  /** What its jobs have come to, by state. */
  readonly counts: Readonly<Record<FlowStepState, number>>
  readonly steps: readonly FlowStep[]
}

/** A job in a workflow. */
export interface FlowStep {
  /** Counts chains and groups too. */
  readonly step: number
  /** The job's. */
  readonly name: string
  readonly state: FlowStepState
  /** The id of the job, once it was enqueued. */
  readonly job: string | undefined
  /** How often it was begun, without the deaths of its workers. */
  readonly attempt: number
  /** What it has failed of last. */
  readonly error: JobFailure | undefined
}
