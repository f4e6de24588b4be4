import { PlimsollError } from '../../core/errors.ts'
import { readTexts, type Transaction } from '../../postgres/index.ts'
import type { NewJob } from '../contract.ts'
import type { JobDefinition } from '../define-job.ts'
import { prepareJob, type Enqueuer } from '../enqueuer.ts'
import { FlowMoves } from './flow-moves.ts'
import type { GroupRef } from './flow-rows.ts'
import { insertSteps } from './statements.ts'
import type { ChunksNode, FlowNode } from './steps.ts'

/** Where a step goes. */
interface Place {
  readonly inside: 'chain' | 'group' | null
  readonly parent: number | null
  readonly position: number
  /** True when nothing has to be done before it. */
  readonly begins: boolean
}

interface NewStep extends Place {
  readonly step: number
  readonly kind: 'job' | 'chain' | 'group'
  /** When its input is known. */
  readonly job: NewJob | undefined
  readonly definition: JobDefinition | undefined
  readonly given: boolean
}

/** What a workflow is started with. */
export interface FlowStart {
  readonly id: string
  readonly tenant: string
  readonly owner: string | undefined
  /** What its first steps are given; undefined for nothing. */
  readonly input: { readonly value: unknown } | undefined
}

/** How many steps are stored at once: chunks are never all in memory. */
const mostAtOnce = 500

/** Stores the steps of a workflow, and the jobs of those that begin. */
export class FlowWriter {
  readonly #transaction: Transaction
  readonly #enqueuer: Enqueuer
  readonly #start: FlowStart
  readonly #empty: GroupRef[] = []
  #steps: NewStep[] = []
  #bytes = 0
  #count = 0

  constructor(transaction: Transaction, parts: { readonly enqueuer: Enqueuer; readonly start: FlowStart }) {
    this.#transaction = transaction
    this.#enqueuer = parts.enqueuer
    this.#start = parts.start
  }

  /** @throws PLIMSOLL_JOB_INPUT_INVALID, PLIMSOLL_OPTION_INVALID */
  async write(flow: FlowNode): Promise<void> {
    await this.#add(flow, { inside: null, parent: null, position: 0, begins: true })
    await this.#flush()
    // Groups of nothing have ended as they begin.
    for (let open: readonly GroupRef[] = this.#empty; open.length > 0;) {
      const moves = new FlowMoves(this.#transaction, this.#enqueuer)
      await moves.endGroups(open)
      // Nobody else knows of the workflow yet, who could end what they are in.
      open = moves.groups
    }
  }

  async #add(flow: FlowNode, place: Place): Promise<void> {
    if (flow.kind === 'job') return this.#addJob(flow.job, { place, given: flow.given })
    const kind = flow.kind === 'chain' ? 'chain' : 'group'
    const { begins } = place
    const parent = await this.#push({ ...place, kind, job: undefined, definition: undefined, given: false })
    let position = 0
    if (flow.kind === 'chunks') {
      for await (const input of chunksOf(flow)) {
        await this.#addJob(flow.job, { place: { inside: kind, parent, position, begins }, given: { input } })
        position++
      }
    } else {
      for (const inner of flow.flows) {
        await this.#add(inner, {
          inside: kind,
          parent,
          position,
          begins: begins && (kind === 'group' || position === 0),
        })
        position++
      }
    }
    if (position === 0 && begins) this.#empty.push({ flow: this.#start.id, step: parent })
  }

  async #addJob(
    definition: JobDefinition,
    { place, given }: { readonly place: Place; readonly given: { readonly input: unknown } | undefined },
  ): Promise<void> {
    const { tenant, owner } = this.#start
    const known = given ?? (place.begins ? { input: this.#firstInput(definition) } : undefined)
    const job = known && (await prepareJob(definition, known.input, { tenant, owner }))
    await this.#push({ ...place, kind: 'job', job, definition, given: given !== undefined })
  }

  #firstInput({ name }: JobDefinition): unknown {
    if (this.#start.input !== undefined) return this.#start.input.value
    throw new PlimsollError(
      'PLIMSOLL_OPTION_INVALID',
      `The step '${name}' begins the workflow and has no input; give it one with step(input), or start(flow, { input }).`,
      { details: { option: 'input', name } },
    )
  }

  async #push(step: Omit<NewStep, 'step'>): Promise<number> {
    const number = this.#count++
    this.#steps.push({ ...step, step: number })
    this.#bytes += step.job?.input.length ?? 0
    if (this.#steps.length >= mostAtOnce || this.#bytes > 8_000_000) await this.#flush()
    return number
  }

  async #flush(): Promise<void> {
    const { id } = this.#start
    const steps = this.#steps
    this.#steps = []
    this.#bytes = 0
    const column = <T extends string | number | boolean | null>(of: (step: NewStep) => T): T[] => steps.map(of)
    await readTexts(this.#transaction, insertSteps, [
      id,
      column(({ step }) => step),
      column(({ kind }) => kind),
      column(({ inside }) => inside),
      column(({ parent }) => parent),
      column(({ position }) => position),
      column(({ begins }) => begins),
      column(({ begins, job }) => (begins ? (job?.id ?? null) : null)),
      column(({ definition }) => definition?.name ?? null),
      column(({ definition }) => definition?.version ?? null),
      column(({ definition }) => definition?.queue ?? null),
      column(({ definition }) => definition?.priority ?? null),
      column(({ definition }) => (definition?.limit === undefined ? null : definition.name)),
      column(({ given }) => given),
      column(({ job }) => job?.input ?? null),
    ])
    const jobs = steps.flatMap(({ begins, job, step }) =>
      // What is unique waits for nobody here: its workflow would wait for ever.
      begins && job !== undefined ? [{ ...job, unique: undefined, step: `${id}/${step}` }] : [],
    )
    if (jobs.length > 0) await this.#enqueuer.store(jobs, this.#transaction)
  }
}

async function* chunksOf({ source, size, toInput }: ChunksNode): AsyncGenerator<unknown, void, void> {
  const rows = 'iterate' in source ? source.iterate({ chunkSize: size }) : source
  let chunk: unknown[] = []
  for await (const row of rows) {
    chunk.push(row)
    if (chunk.length < size) continue
    yield toInput(chunk)
    chunk = []
  }
  if (chunk.length > 0) yield toInput(chunk)
}
