import { AsyncLocalStorage } from 'node:async_hooks'
import { readTexts, type Postgres, type Transaction } from '../../postgres/index.ts'
import type { NewJob } from '../contract.ts'
import { prepareJob, type Enqueuer } from '../enqueuer.ts'
import type { ScheduleDefinition } from './define-schedule.ts'
import { dueOccurrences } from './due-occurrences.ts'
import {
  changeSchedule,
  ensureScheduleTable,
  findTasks,
  holdOn,
  moveOn,
  nextDue,
  readClock,
  removeStale,
  storeSchedule,
  takeDue,
} from './schedule-table.ts'

/** How often the table is looked at at least: another process may have changed it. */
const lookMs = 5000
/** What is due is another process's for so long, or cannot be enqueued now. */
const againMs = 500
const failedMs = 5000
/** A timer can be early by the clock of the database. */
const slackMs = 2

/** Enqueues the jobs of schedules when their time has come. As many processes as like do: each occurrence is enqueued by one of them. */
export class Scheduler {
  readonly #postgres: Postgres
  readonly #enqueuer: Enqueuer
  readonly #schedules: ReadonlyMap<string, ScheduleDefinition>
  readonly #outside = AsyncLocalStorage.snapshot()
  /** Those whose input cannot be made, and the occurrence it was for. */
  readonly #warned = new Map<string, string>()
  #closed = false
  /** When this began, in milliseconds by the clock of the database. */
  #since = 0
  #started: Promise<void> | undefined
  #wake: () => void = () => {}
  #running: Promise<void> = Promise.resolve()

  constructor(
    postgres: Postgres,
    parts: { readonly enqueuer: Enqueuer; readonly schedules: readonly ScheduleDefinition[] },
  ) {
    this.#postgres = postgres
    this.#enqueuer = parts.enqueuer
    this.#schedules = new Map(parts.schedules.map((schedule) => [schedule.name, schedule]))
  }

  /**
   * Puts the schedules as they are defined here into the table, and begins.
   *
   * @throws PLIMSOLL_JOBS_UNAVAILABLE, PLIMSOLL_JOB_INPUT_INVALID
   */
  async start(): Promise<void> {
    if (this.#schedules.size > 0) await (this.#started ??= this.#outside(() => this.#start()))
  }

  async #start(): Promise<void> {
    const schedules = [...this.#schedules.values()]
    for (const { job, fixed, inputAt } of schedules) if (fixed) await prepareJob(job, inputAt(new Date()))
    await ensureScheduleTable(this.#postgres)
    await readTexts(this.#postgres, removeStale)
    const now = Number((await readTexts(this.#postgres, readClock))[0]![0])
    this.#since = now
    for (const schedule of schedules) {
      const definition = this.#definitionOf(schedule, now)
      await readTexts(this.#postgres, storeSchedule, definition)
      await readTexts(this.#postgres, changeSchedule, definition)
    }
    this.#running = this.#run()
  }

  #definitionOf({ name, hash, timing }: ScheduleDefinition, now: number): (string | number | null)[] {
    return [name, hash, timing.text, timing.next(now) ?? null, this.#since]
  }

  /** Ends; an occurrence that is being enqueued is. */
  async close(): Promise<void> {
    this.#closed = true
    this.#wake()
    await this.#running
  }

  async #run(): Promise<void> {
    while (!this.#closed) await this.#wait(await this.#tick().catch(() => failedMs))
  }

  #wait(ms: number): Promise<void> {
    if (this.#closed) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.min(ms, lookMs))
      timer.unref()
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  /** Enqueues what is due; resolves to how long to wait then. */
  async #tick(): Promise<number> {
    const ours = [[...this.#schedules.keys()], [...this.#schedules.values()].map(({ hash }) => hash)]
    const tasks = await readTexts(this.#postgres, findTasks, [...ours, this.#since])
    if (tasks.length > 0) await readTexts(this.#postgres, holdOn, [...ours, this.#since])
    let moved = true
    for (const [name, isOthers, isDue, now] of tasks) {
      const schedule = this.#schedules.get(name!)!
      // What is due of it shows in the next round.
      if (isOthers === 't') await readTexts(this.#postgres, changeSchedule, this.#definitionOf(schedule, Number(now)))
      else if (isDue === 't')
        moved = (await this.#enqueueDue(schedule).catch((error: unknown) => this.#warn(schedule, error))) && moved
    }
    const [[inMs]] = (await readTexts(this.#postgres, nextDue, ours)) as [(string | null)[]]
    if (inMs === null) return lookMs
    return Math.max(Number(inMs) + slackMs, moved ? 0 : againMs)
  }

  /** In one transaction, that of the jobs: an occurrence is moved on from if and only if it is enqueued. */
  #enqueueDue({ name, hash, timing, missed, ...schedule }: ScheduleDefinition): Promise<boolean> {
    return this.#postgres.transaction(async (transaction) => {
      const [row] = await readTexts(transaction, takeDue, [name, hash])
      if (row === undefined) return false
      const { run, next } = dueOccurrences(timing, { due: Number(row[0]), now: Number(row[1]), missed })
      await this.#enqueue(transaction, { name, schedule, run })
      await readTexts(transaction, moveOn, [name, next ?? null, run.at(-1) ?? null])
      return true
    })
  }

  async #enqueue(
    transaction: Transaction,
    {
      name,
      schedule: { job, inputAt, options },
      run,
    }: {
      readonly name: string
      readonly schedule: Pick<ScheduleDefinition, 'job' | 'inputAt' | 'options'>
      readonly run: readonly number[]
    },
  ): Promise<void> {
    const jobs: NewJob[] = []
    for (const time of run) {
      const at = new Date(time)
      // A job that says itself what it must not run beside keeps to that.
      const unique =
        job.unique === undefined ? { key: `schedule:${name}:${at.toISOString()}`, window: '1h' as const } : undefined
      jobs.push(await prepareJob(job, inputAt(at), { ...options, unique }))
    }
    await this.#enqueuer.store(jobs, transaction)
  }

  /** It is tried again: what was due is not lost. */
  #warn({ name, timing }: ScheduleDefinition, error: unknown): false {
    const said = String(error)
    if (this.#warned.get(name) !== said) {
      this.#warned.set(name, said)
      process.emitWarning(
        `The schedule '${name}' (${timing.text}) cannot enqueue its job now: ${said}`,
        'PlimsollWarning',
      )
    }
    return false
  }
}
