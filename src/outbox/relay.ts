import { AsyncLocalStorage } from 'node:async_hooks'
import { backoffMs } from '../core/backoff.ts'
import { isPlimsollError } from '../core/errors.ts'
import type { Postgres, Subscription } from '../postgres/index.ts'
import { carriedLate, type Carriers, type Carried } from './carriers.ts'
import { wakeChannel, type OutboxRow, type OutboxRows } from './outbox-rows.ts'

const batch = 100
const retry = { firstMs: 500, mostMs: 60_000 }
const rest = { firstMs: 500, mostMs: 5000 }
// A timer can be early by the clocks of others, and would find nothing due.
const slackMs = 20

/** The passes over one kind: one at a time, however often it is woken. */
interface Passes {
  running: Promise<void> | undefined
  again: boolean
  /** How often in a row nothing went through. */
  failures: number
  /** Until when others are left to try. */
  restsUntil: number
}

/**
 * Carries what its own writer has not: because it crashed, or could not. Woken by NOTIFY, and by the clock for what nobody
 * could tell of. A row is claimed for a time, not locked, so that no transaction stays open while it is carried.
 */
export class Relay {
  readonly #postgres: Postgres
  readonly #rows: OutboxRows
  readonly #carriers: Carriers
  readonly #pollMs: number
  readonly #carried: ((kind: string, items: readonly string[]) => Promise<void>) | undefined
  readonly #passes = new Map<string, Passes>()
  // A notification may be delivered from within somebody's transaction, which a pass must not join.
  readonly #outside = AsyncLocalStorage.snapshot()
  #timer: NodeJS.Timeout | undefined
  #timerAt = Number.POSITIVE_INFINITY
  /** The latest time at which something becomes due that this process knows of. */
  #dueUntil = 0
  #listening: Promise<Subscription | undefined> | undefined
  #closed = false

  constructor(
    postgres: Postgres,
    parts: {
      readonly rows: OutboxRows
      readonly carriers: Carriers
      readonly pollMs: number
      /** Told of what was carried, before it is forgotten. */
      readonly carried?: ((kind: string, items: readonly string[]) => Promise<void>) | undefined
    },
  ) {
    this.#postgres = postgres
    this.#rows = parts.rows
    this.#carriers = parts.carriers
    this.#pollMs = parts.pollMs
    this.#carried = parts.carried
  }

  /** Begins to listen, and looks for what is there. */
  start(): void {
    this.#poll()
  }

  /** Looks for what is due now, of one kind or of all that are carried here. */
  wake(kind?: string): void {
    if (this.#closed) return
    this.#outside(() => {
      const { kinds } = this.#carriers
      for (const wanted of kind === undefined ? kinds : kinds.filter((one) => one === kind)) this.#pass(wanted)
    })
  }

  /** Looks for what is due in a while. */
  wakeWithin(delayMs: number): void {
    this.#dueUntil = performance.now() + delayMs + slackMs
    this.#outside(() => this.#pollWithin(delayMs + slackMs))
  }

  /**
   * Nothing of this kind goes through here now: for a while it is left to other processes, which may fare better, and which this
   * one would only take the rows away from.
   */
  rest(kind: string): void {
    const passes = this.#passesOf(kind)
    const restMs = backoffMs(++passes.failures, rest)
    passes.restsUntil = performance.now() + restMs
    this.#outside(() => this.#pollWithin(restMs + slackMs))
  }

  /** Stops, and waits for what is being carried. */
  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    const subscription = await this.#listening
    await subscription?.close().catch(ignore)
    for (const { running } of this.#passes.values()) await running
  }

  #poll(): void {
    this.#timerAt = Number.POSITIVE_INFINITY
    this.#listen()
    this.wake()
    const leftMs = this.#dueUntil - performance.now()
    // It was woken for the first of several.
    if (leftMs > 0) this.#pollWithin(leftMs)
    else this.#pollWithin(this.#pollMs * (0.75 + Math.random() * 0.5))
  }

  #pollWithin(delayMs: number): void {
    const at = performance.now() + delayMs
    if (this.#closed || at >= this.#timerAt) return
    clearTimeout(this.#timer)
    this.#timerAt = at
    this.#timer = setTimeout(() => this.#poll(), delayMs)
    this.#timer.unref()
  }

  // Without it everything still comes, with the next poll.
  #listen(): void {
    this.#listening ??= this.#postgres
      .listen(wakeChannel, (kind) => this.wake(kind), { keepAlive: false })
      .catch((error: unknown) => {
        // A transaction pooler will not learn it; anything else is tried again.
        if (!isPlimsollError(error, 'PLIMSOLL_FEATURE_UNSUPPORTED')) this.#listening = undefined
        return undefined
      })
  }

  #pass(kind: string): void {
    const passes = this.#passesOf(kind)
    if (performance.now() < passes.restsUntil) return
    if (passes.running !== undefined) {
      passes.again = true
      return
    }
    const run = async (): Promise<void> => {
      do {
        passes.again = false
        // The database is away: what is there is still there when it is back.
        await this.#carryDue(kind).catch(ignore)
      } while (passes.again && !this.#closed && performance.now() >= passes.restsUntil)
      passes.running = undefined
    }
    passes.running = run()
  }

  #passesOf(kind: string): Passes {
    let passes = this.#passes.get(kind)
    if (passes === undefined) {
      passes = { running: undefined, again: false, failures: 0, restsUntil: 0 }
      this.#passes.set(kind, passes)
    }
    return passes
  }

  async #carryDue(kind: string): Promise<void> {
    for (;;) {
      const rows = await this.#rows.claim(kind, batch)
      if (rows.length === 0) return
      const carried = await this.#carryRows(kind, rows)
      // It is hardly one bad row that is to blame, and what else is due would fare no better now.
      if (carried.length === 0) return this.rest(kind)
      this.#passesOf(kind).failures = 0
      await this.#rows.delete(carried)
      if (this.#closed) return
    }
  }

  /** Carries rows together, and one by one when that fails, so that one bad row holds up no other; the ids of what was carried. */
  async #carryRows(kind: string, rows: readonly OutboxRow[]): Promise<string[]> {
    const items = [...new Set(rows.flatMap((row) => row.items))]
    const together = await this.#carriers.carry(kind, items, carriedLate)
    if (together.state === 'done') {
      await this.#carried?.(kind, items)
      return rows.map(({ id }) => id)
    }
    if (rows.length === 1) return this.#settle(kind, rows[0]!, together)
    const settled = await Promise.all(
      rows.map(async (row) => this.#settle(kind, row, await this.#carriers.carry(kind, row.items, carriedLate))),
    )
    return settled.flat()
  }

  async #settle(kind: string, row: OutboxRow, carried: Carried): Promise<string[]> {
    if (carried.state === 'done') {
      await this.#carried?.(kind, row.items)
      return [row.id]
    }
    const delayMs = backoffMs(row.attempts, retry)
    const error = carried.state === 'failed' ? carried.error : new Error('Its carrier was taken back.')
    await this.#rows.postpone(row, delayMs, error)
    this.#pollWithin(delayMs + slackMs)
    return []
  }
}

function ignore(): void {}
