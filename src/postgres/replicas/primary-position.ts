import type { WalPosition } from '../contract.ts'
import { executeOn, type RunTarget } from '../session/execute.ts'
import { createStatement } from '../statement.ts'
import { rowTexts } from '../row-texts.ts'
import { laterPosition, toWalPosition } from './wal-position.ts'

// The insert position and not the flushed one: with `synchronous_commit = off` a commit is acknowledged before it is flushed. On a
// page of the log that has no record yet it lies behind the header of the page, 24 bytes or 40 in the first page of a file; what
// was replayed then ends before that.
const askPosition = createStatement(
  `select file_name, lsn, case when file_offset = 40 then 40 when file_offset % current_setting('wal_block_size')::int = 24 then 24 else 0 end, pg_current_wal_flush_lsn() from pg_current_wal_insert_lsn() as lsn, pg_walfile_name_offset(lsn)`,
  { readOnly: true },
)
// Takes a transaction id, so that the transaction ends with a record that is flushed before long, with everything before it.
const flush = createStatement('select txid_current()')
const askSystem = createStatement('select system_identifier from pg_control_system()', { readOnly: true })

const mostSamples = 100
// Between two attempts to find out which cluster the primary is.
const identifyMs = 5000

/** Where the primary's log was, and when. */
interface Sample {
  /** Everything that was acknowledged by then lies before the position; by the clock of `performance`. */
  readonly at: number
  readonly position: WalPosition
}

/** Knows how far the log of the primary has come: now, after the latest commit, and a while ago. */
export class PrimaryPosition {
  readonly #target: RunTarget
  /** In the order they were taken; the oldest are forgotten. */
  readonly #samples: Sample[] = []
  #asking: Promise<WalPosition> | undefined
  #refreshing = false
  #committed: WalPosition | undefined
  /** Counts commits whose position is not known. */
  #missed = 0
  #identifyAt = Number.NEGATIVE_INFINITY
  /** Which cluster the primary is; undefined while that is not known. */
  system: string | undefined

  constructor(target: RunTarget) {
    this.#target = target
  }

  /** Finds out which cluster the primary is. Never rejects; asked again before long, it does nothing. */
  async identify(): Promise<void> {
    const now = performance.now()
    if (this.system !== undefined || now < this.#identifyAt) return
    this.#identifyAt = now + identifyMs
    const sink = (chunk: Buffer, start: number): void => {
      this.system = rowTexts(chunk, start)[0] ?? undefined
    }
    await executeOn(this.#target, askSystem, { values: [], sink }).catch(() => {})
  }

  /** A position behind everything that anybody has been told is committed. Calls of one turn of the event loop share a statement. */
  position(): Promise<WalPosition> {
    if (this.#asking === undefined) {
      this.#asking = this.#ask(this.#target)
      // What has been acknowledged by then was so before this statement was sent.
      queueMicrotask(() => {
        this.#asking = undefined
      })
    }
    return this.#asking
  }

  /** Asks on the session of a transaction right behind its COMMIT. Never rejects: the commit is not to blame. */
  readonly noteCommit = async (target: RunTarget): Promise<void> => {
    try {
      this.#committed = laterPosition(this.#committed, await this.#ask(target))
    } catch {
      this.#missed++
    }
  }

  /** A position behind the COMMIT of every transaction of this door that has ended. */
  async committed(): Promise<WalPosition> {
    const missed = this.#missed
    if (missed === 0 && this.#committed !== undefined) return this.#committed
    this.#committed = laterPosition(this.#committed, await this.position())
    this.#missed -= missed
    return this.#committed
  }

  /** A position behind everything that was acknowledged `ms` milliseconds ago. It costs a statement when nobody has asked since. */
  since(ms: number): WalPosition | Promise<WalPosition> {
    const now = performance.now()
    const latest = this.#samples.at(-1)
    if (latest === undefined || latest.at < now - ms) return this.position()
    // In time for those who come later.
    if (latest.at < now - ms / 4) this.#refresh()
    // The oldest that is young enough: a replica has had the most time for it.
    return this.#samples.find(({ at }) => at >= now - ms)!.position
  }

  #refresh(): void {
    if (this.#refreshing) return
    this.#refreshing = true
    const done = (): void => {
      this.#refreshing = false
    }
    this.position().then(done, done)
  }

  async #ask(target: RunTarget): Promise<WalPosition> {
    const at = performance.now()
    let columns: readonly (string | null)[] = []
    await executeOn(target, askPosition, {
      values: [],
      sink: (chunk, start) => {
        columns = rowTexts(chunk, start)
      },
    })
    const [file, lsn, header, flushed] = columns as [string, string, string, string]
    // The name of a file of the log begins with its timeline, eight hexadecimal digits.
    const timeline = Number.parseInt(file.slice(0, 8), 16)
    const position = toWalPosition(timeline, lsn, Number(header))
    // Replicas are sent what is flushed. What a reader cleans up on a page can stay unflushed for many seconds if nobody writes.
    const stuck = this.#samples.at(-1)?.position === position && toWalPosition(timeline, flushed) < position
    if (stuck) executeOn(this.#target, flush, { values: [] }).catch(() => {})
    this.#keep({ at, position })
    return position
  }

  /** Answers can overtake each other on different sessions; a sample is only kept when it is the newest. */
  #keep(sample: Sample): void {
    const latest = this.#samples.at(-1)
    if (latest !== undefined && latest.at >= sample.at) return
    this.#samples.push(sample)
    if (this.#samples.length > mostSamples) this.#samples.shift()
  }
}
