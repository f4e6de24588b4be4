import { performance, type EventLoopUtilization } from 'node:perf_hooks'
import { listNames } from '../../core/errors.ts'
import { events } from '../../core/events.ts'
import type { LeasedJob } from '../contract.ts'

const tickMs = 500
const mostBlockedMs = 1000
/** The same jobs are warned of once in this time. */
const warnMs = 60_000

interface Watched {
  readonly job: LeasedJob
  readonly beganAt: number
}

/**
 * Notices when the event loop was blocked, and tells which jobs ran all the while: a timer that comes late says so, unless the
 * process was stopped.
 */
export class BlockedLoop {
  readonly #running = new Map<LeasedJob, Watched>()
  /** Since the last tick: what blocks the loop to its end has ended by the time the timer can tell. */
  #ended: Watched[] = []
  readonly #warnedAt = new Map<string, number>()
  #timer: NodeJS.Timeout | undefined
  #tickAt = 0
  #before: EventLoopUtilization | undefined

  open(): void {
    this.#tickAt = performance.now()
    this.#before = performance.eventLoopUtilization()
    this.#timer = setInterval(() => this.#tick(), tickMs)
    this.#timer.unref()
  }

  close(): void {
    clearInterval(this.#timer)
  }

  began(job: LeasedJob): void {
    this.#running.set(job, { job, beganAt: performance.now() })
  }

  ended(job: LeasedJob): void {
    const watched = this.#running.get(job)
    if (watched === undefined) return
    this.#running.delete(job)
    // What was that short has not blocked anything.
    if (performance.now() - watched.beganAt > mostBlockedMs) this.#ended.push(watched)
  }

  #tick(): void {
    const now = performance.now()
    const lateMs = now - this.#tickAt - tickMs
    const utilization = performance.eventLoopUtilization()
    const { active } = performance.eventLoopUtilization(utilization, this.#before)
    const ended = this.#ended
    this.#tickAt = now
    this.#before = utilization
    this.#ended = []
    // A process that was stopped is late as well, but has done nothing in that time.
    if (lateMs <= mostBlockedMs || active < lateMs / 2) return
    const jobs = [...this.#running.values(), ...ended]
      .filter(({ beganAt }) => beganAt <= now - lateMs)
      .map(({ job }) => job)
    if (events.hasSubscribers) {
      events.publish({ type: 'job.blocked', ids: jobs.map(({ id }) => id), blockedMs: Math.round(lateMs) })
    }
    this.#warn(new Set(jobs.map(({ name }) => name)), { now, lateMs })
  }

  #warn(names: ReadonlySet<string>, { now, lateMs }: { readonly now: number; readonly lateMs: number }): void {
    const fresh = [...names].filter((name) => now - (this.#warnedAt.get(name) ?? Number.NEGATIVE_INFINITY) > warnMs)
    if (fresh.length === 0) return
    for (const name of fresh) this.#warnedAt.set(name, now)
    process.emitWarning(
      `The event loop was blocked for ${(lateMs / 1000).toFixed(1)} s, while these jobs ran: ${listNames(names)}. Give the one that blocks it ` +
        `sandbox: { module: import.meta.url }, or let it await heartbeat() between its steps.`,
      'PlimsollWarning',
    )
  }
}
