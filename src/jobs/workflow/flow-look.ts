import { AsyncLocalStorage } from 'node:async_hooks'
import { readTexts } from '../../postgres/index.ts'
import type { JobRecord } from '../contract.ts'
import type { FlowParts } from './flow-control.ts'
import { readStep, toJob, toStepRow, type GroupRef, type StepRow } from './flow-rows.ts'
import { findForgotten, findLong, removeExpired } from './statements.ts'

/** How often it is looked for what nobody has told of, give or take a quarter. */
const lookMs = 5000
const cleanMs = 60_000
/** What has begun so lately is left alone. */
const youngMs = 5000
/** How many jobs are looked up at once. */
const mostAtOnce = 200
/** A job that the engine has not known for so long is lost: what hands jobs on to it is not that slow. */
const lostMs = 60_000
const beginning = { flow: '00000000-0000-0000-0000-000000000000', step: -1 }

/**
 * Learns what the jobs of workflows have come to without a worker that could tell: those in quarantine, those that were cancelled
 * before they began, those that an engine has lost. Whoever has cancelled them, or has found their worker dead, says so at once; what a
 * process was to say that has died is looked for, some of them at a time, round and round.
 */
export class FlowLook {
  readonly #parts: FlowParts
  readonly #outside = AsyncLocalStorage.snapshot()
  readonly #missing = new Map<string, number>()
  #after = beginning
  #timer: NodeJS.Timeout | undefined
  #cleanedAt = Number.NEGATIVE_INFINITY
  #looking: Promise<void> = Promise.resolve()
  #hearing: Promise<unknown> = Promise.resolve()
  #closed = false

  constructor(parts: FlowParts) {
    this.#parts = parts
  }

  start(): void {
    if (this.#closed) return
    this.#timer = setTimeout(
      () => {
        // The next look comes soon.
        this.#looking = this.look()
          .catch(() => {})
          .finally(() => this.start())
      },
      lookMs * (0.75 + Math.random() / 2),
    )
    this.#timer.unref()
  }

  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    await this.#looking
    await this.#hearing
  }

  /** These jobs have ended: what is told of need not be found. */
  hear(ids: readonly string[]): void {
    const heard = this.#outside(() => this.#follow(ids)).catch(() => {})
    this.#hearing = Promise.all([this.#hearing, heard])
  }

  async #follow(ids: readonly string[]): Promise<void> {
    for (let at = 0; at < ids.length; at += mostAtOnce) {
      const records = await Promise.all(ids.slice(at, at + mostAtOnce).map((id) => this.#parts.engine.find(id)))
      const stopped = records.filter((record) => record?.state === 'cancelled' || record?.state === 'quarantined')
      await Promise.all(stopped.map(async (record) => record?.step && this.#store(readStep(record.step), record)))
    }
  }

  async look(): Promise<void> {
    const { postgres, engine, outcomes } = this.#parts
    const { flow, step } = this.#after
    const rows = (await readTexts(postgres, findLong, [flow, step, youngMs])).map(toStepRow)
    this.#after = rows.length < 200 ? beginning : rows.at(-1)!
    const records = await Promise.all(rows.map(({ job }) => engine.find(job!)))
    await Promise.all(rows.map((row, i) => this.#compare(row, records[i])))
    const forgotten = await readTexts(postgres, findForgotten)
    await outcomes.endGroups(forgotten.map(([id, group]) => ({ flow: id!, step: Number(group) })))
    if (performance.now() - this.#cleanedAt < cleanMs) return
    this.#cleanedAt = performance.now()
    // Some at a time; each has steps.
    while (!this.#closed && (await postgres.execute(removeExpired, [])).rowCount > 0);
  }

  async #compare(row: StepRow, record: JobRecord | undefined): Promise<void> {
    if (record === undefined) return this.#compareMissing(row)
    this.#missing.delete(record.id)
    await this.#store(row, record)
  }

  /** When the job of a step has ended. */
  async #store({ flow, step }: GroupRef, record: JobRecord): Promise<void> {
    const { id: job, state, output = null, error, attempts } = record
    const found = state === 'quarantined' ? 'failed' : state
    if (found !== 'done' && found !== 'failed' && found !== 'cancelled') return
    const text = error === undefined ? null : JSON.stringify(error)
    await this.#parts.outcomes.store({ flow, step, job, state: found, output, error: text, attempts })
  }

  /** An id that is there after all is not stored a second time. */
  async #compareMissing(row: StepRow): Promise<void> {
    const id = row.job!
    const since = this.#missing.get(id) ?? performance.now()
    this.#missing.set(id, since)
    if (performance.now() - since < lostMs) return
    this.#missing.delete(id)
    await this.#parts.enqueuer.store([toJob(row, { id, input: row.input ?? 'null' })], undefined)
  }
}
