import { performance, type EventLoopUtilization } from 'node:perf_hooks'
import { listNames } from '../../core/errors.ts'
import { events } from '../../core/events.ts'
import type { Run } from './run-job.ts'

const tickMs = 500
const mostBlockedMs = 1000
/** The same jobs are warned of once in this time. */
const warnMs = 60_000

/**
 * Notices when the event loop was blocked, and tells which jobs ran all the while: a timer that comes late says so, unless the
 * process was stopped.
 */
export class BlockedLoop {
  readonly #running = new Set<Run>()
  /** Since the last tick: what blocks the loop to its end has ended by the time the timer can tell. */
  #ended: Run[] = []
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

  began(run: Run): void {
    this.#running.add(run)
  }

  ended(run: Run): void {
    // What was that short has not blocked anything.
    if (this.#running.delete(run) && performance.now() - run.beganAt > mostBlockedMs) this.#ended.push(run)
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
    const jobs = [...this.#running, ...ended].filter(({ beganAt }) => beganAt <= now - lateMs).map(({ job }) => job)
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
