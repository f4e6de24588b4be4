import { backoffMs } from '../../core/backoff.ts'
import type { PlimsollError } from '../../core/errors.ts'
import { events, type PlimsollEvent } from '../../core/events.ts'
import type { CommandResult, WalPosition } from '../contract.ts'
import type { PostgresSettings } from '../options.ts'
import { ExclusivePool } from '../pool/exclusive-pool.ts'
import { SharedSessions } from '../pool/shared-sessions.ts'
import { executeOn, groupOn, settle, type RunTarget } from '../session/execute.ts'
import type { Session } from '../session/session.ts'
import { SessionOpener } from '../session/session-opener.ts'
import { StatementRun, type RunCarrier } from '../session/statement-run.ts'
import type { PrimaryPosition } from './primary-position.ts'
import { readRuns, type ReadRuns, type ReplicaCall } from './read-runs.ts'
import { askAll, askPosition, hasReplayed, lacksTimeline, readStanding, type Standing } from './standing.ts'
import { rowTexts } from '../row-texts.ts'

/** Why a read that a replica could have answered went to the primary. */
type PassedReason = Extract<PlimsollEvent, { type: 'replica.passed' }>['reason']

const retry = { firstMs: 100, mostMs: 5000 }
// How often a read is sent before it goes to the primary.
const mostAttempts = 2
/** What a read is given up with that waits behind a slow statement. */
const heldUp = new Error('Another statement holds up the session.')
// How long a session is taken to be that of a standby still.
const trustMs = 5000
// How long a replica that was behind is not asked again for what it had not replayed.
const behindMs = 100
// Missing privilege, missing function, function that this server does not support.
const refusals = new Set(['42501', '42883', '0A000'])
// How long one that is no replica is left alone.
const unfitMs = 5000

/** One replica: its sessions, and what is known of the servers at their other end. */
export class Replica {
  readonly #opener: SessionOpener
  readonly #shared: SharedSessions
  readonly #exclusive: ExclusivePool
  readonly #primary: PrimaryPosition
  readonly #standings = new WeakMap<RunCarrier, Standing>()
  /** The runs of every read that is under way, each list in the order it was sent. */
  readonly #pending = new Set<readonly StatementRun[]>()
  #failures = 0
  /** Until then it is left alone. */
  #restUntil = 0
  #behindUntil = 0
  /** False once the server has refused to say which timeline it follows: nothing about what it has replayed can be proven. */
  #tells = true
  #warned = ''

  constructor(settings: PostgresSettings, { wake, primary }: { wake: () => void; primary: PrimaryPosition }) {
    this.#primary = primary
    this.#opener = new SessionOpener(settings, { wake, readOnly: true })
    this.#shared = new SharedSessions(this.#opener)
    this.#exclusive = new ExclusivePool(this.#opener)
  }

  /** Statements in flight and waiting. */
  get load(): number {
    return this.#shared.load
  }

  /** Opens the sessions, now or as soon as the server is there; resolves after the first attempt. */
  async start(): Promise<void> {
    try {
      await this.#shared.start()
    } catch (error) {
      this.#warn(`A read replica is not there. ${(error as Error).message} Reads go to the primary until it is.`)
    }
    this.#shared.fill()
  }

  /** True when a read may be sent there. `wanted`: what it has to have replayed. */
  usable(wanted: WalPosition | undefined, now: number): boolean {
    if (now < this.#restUntil || !this.#shared.answers()) return false
    if (wanted === undefined) return true
    // Through a pooler a question and the read behind it can come to different servers.
    if (!this.#tells || this.#opener.pooled || this.#primary.system === undefined) return false
    return now >= this.#behindUntil || this.#proven(this.#shared.ready(), wanted)
  }

  /**
   * Reads there, if the server is a standby that has replayed `wanted`; undefined, with nothing handed over, if it is not. Unless
   * that is known it is asked in the same write, before the statements take their snapshot.
   *
   * @throws whatever the server or the connection says; nothing has been handed over then, either.
   */
  async read(call: ReplicaCall, wanted: WalPosition | undefined): Promise<readonly CommandResult[] | undefined> {
    for (let attempt = 1; attempt <= mostAttempts && this.#shared.answers(); attempt++) {
      try {
        return await this.#readOnce(call, wanted)
      } catch (error) {
        // Others are not held up, or there will be another one by now.
        if (error !== heldUp) throw error
      }
    }
    this.#pass('busy')
    return undefined
  }

  async #readOnce(call: ReplicaCall, wanted: WalPosition | undefined): Promise<readonly CommandResult[] | undefined> {
    const runs = readRuns(call)
    const signal = call.options?.signal
    const session = this.#shared.ready()
    if (session !== undefined && this.#trusted(session, wanted)) {
      const movable = wanted === undefined && runs.all.length === 1
      await this.#watched(runs.all, () =>
        movable ? settle(this.#shared, runs.all[0]!, signal) : groupOn(alone(session), runs.all, signal),
      )
      const elsewhere = runs.statements.some(({ carrier }) => carrier !== session)
      if (wanted !== undefined && elsewhere) {
        this.#pass('behind')
        return undefined
      }
    } else if (!(await this.#askAndRead(runs, { wanted, signal, session }))) return undefined
    this.#failures = 0
    runs.rows.forEach((rows, i) => {
      const { sink } = call.items[i]!
      if (sink !== undefined) rows.each(sink)
    })
    return runs.statements.map(({ command, rowCount }) => ({ command, rowCount }))
  }

  /** A session for one cursor, given back with {@link giveBack}; undefined if the server is not fit for it. */
  async lend(wanted: WalPosition | undefined, signal: AbortSignal | undefined): Promise<Session | undefined> {
    const session = await this.#exclusive.acquire(signal)
    try {
      const ask = this.#tells ? askAll : askPosition
      const at = performance.now()
      await executeOn(alone(session), ask, { values: [], sink: this.#listener(() => session, at), signal })
      if (this.#fit(this.#standings.get(session), wanted)) return session
    } catch (error) {
      this.giveBack(session)
      throw error
    }
    this.giveBack(session)
    return undefined
  }

  giveBack(session: Session): void {
    this.#exclusive.release(session)
  }

  /** A read has failed there: says so, and leaves the replica alone for a while when it is the server that is to blame. */
  failed(error: unknown): void {
    const { code, message, details } = error as Partial<PlimsollError>
    if (code === 'PLIMSOLL_DATABASE_UNREACHABLE' || code === 'PLIMSOLL_DATABASE_BUSY') {
      this.#restUntil = performance.now() + backoffMs(++this.#failures, retry)
    }
    if (details?.statement === askAll.text && refusals.has(String(details.sqlState))) {
      this.#tells = false
      this.#warn(`A read replica does not tell what it has replayed, and serves replica() alone. ${message}`)
    }
    this.#pass('failed', message)
  }

  tick(now: number): boolean {
    const busy = [this.#shared.tick(now), this.#exclusive.tick(now)]
    for (const runs of this.#pending) if (isHeldUp(runs)) for (const run of runs) run.fail(heldUp)
    return busy.includes(true)
  }

  cut(): void {
    this.#exclusive.cut()
    this.#shared.cut()
  }

  async close(): Promise<void> {
    await this.#exclusive.close()
    await this.#shared.close()
  }

  async #askAndRead(
    runs: ReadRuns,
    how: { wanted: WalPosition | undefined; signal: AbortSignal | undefined; session: Session | undefined },
  ): Promise<boolean> {
    const { wanted, signal, session } = how
    const known = session === undefined ? undefined : this.#standings.get(session)
    const everything = this.#tells && (known === undefined || (wanted !== undefined && lacksTimeline(known, wanted)))
    const { text, name } = everything ? askAll : askPosition
    let standing: Standing | undefined
    const at = performance.now()
    const question: StatementRun = new StatementRun(text, {
      name,
      values: [],
      readOnly: true,
      sink: this.#listener(
        () => question.carrier,
        at,
        (heard) => {
          standing = heard
        },
      ),
    })
    const all = [question, ...runs.all]
    await this.#watched(all, () => groupOn(this.#shared, all, signal))
    return this.#fit(standing, wanted)
  }

  /** Lets {@link tick} give the read up while it is held up. */
  async #watched(runs: readonly StatementRun[], send: () => Promise<unknown>): Promise<void> {
    this.#pending.add(runs)
    try {
      await send()
    } finally {
      this.#pending.delete(runs)
    }
  }

  /** Notes what a session says of its server. */
  #listener(
    carrier: () => RunCarrier | undefined,
    at: number,
    tell?: (standing: Standing) => void,
  ): (chunk: Buffer, start: number) => void {
    return (chunk, start) => {
      const session = carrier()!
      const standing = readStanding(rowTexts(chunk, start), { before: this.#standings.get(session), at })
      this.#standings.set(session, standing)
      tell?.(standing)
    }
  }

  /** Whether what the server has just said will do. */
  #fit(standing: Standing | undefined, wanted: WalPosition | undefined): boolean {
    const { system } = this.#primary
    const foreign = system !== undefined && standing?.system !== undefined && standing.system !== system
    if (standing === undefined || !standing.standby || foreign) {
      this.#restUntil = performance.now() + unfitMs
      const what = foreign ? 'a copy of another database' : 'no standby (any more)'
      this.#warn(`The read replica at ${this.#opener.settings.shownUrl} is ${what}, and is not read from.`)
      this.#pass('unfit')
      return false
    }
    if (wanted === undefined || hasReplayed(standing, wanted, system)) return true
    this.#behindUntil = performance.now() + behindMs
    this.#pass('behind')
    return false
  }

  #trusted(session: Session, wanted: WalPosition | undefined): boolean {
    if (wanted !== undefined) return this.#proven(session, wanted)
    const standing = this.#standings.get(session)
    return standing !== undefined && standing.standby && performance.now() - standing.at < trustMs
  }

  #proven(session: Session | undefined, wanted: WalPosition): boolean {
    const standing = session === undefined ? undefined : this.#standings.get(session)
    return standing !== undefined && hasReplayed(standing, wanted, this.#primary.system)
  }

  #pass(reason: PassedReason, error?: string): void {
    if (!events.hasSubscribers) return
    const replica = this.#opener.settings.shownUrl
    events.publish({ type: 'replica.passed', replica, reason, ...(error === undefined ? {} : { error }) })
  }

  #warn(text: string): void {
    if (this.#warned === text) return
    this.#warned = text
    process.emitWarning(text, 'PlimsollWarning')
  }
}

/** True for runs that wait behind somebody else's slow statement, or for a server that does not even answer a question. */
function isHeldUp([first, ...others]: readonly StatementRun[]): boolean {
  const session = first!.carrier as Session | undefined
  if (first!.settled || session === undefined || !session.stalled) return false
  return session.head !== first || others.length > 0
}

function alone(session: Session): RunTarget {
  return { submit: (run) => session.send(run), cancel: (run) => session.cancel(run, 'signal') }
}
