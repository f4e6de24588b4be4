import { randomUUID } from 'node:crypto'
import { AsyncLocalStorage } from 'node:async_hooks'
import { isPlimsollError } from '../../../core/errors.ts'
import type { Postgres, Subscription } from '../../../postgres/index.ts'
import { endsWithin } from './ends-within.ts'
import type { LaneNotice } from './job-rows.ts'

/** What processes tell each other of jobs. */
export interface BulletinReader {
  /** Jobs are ready. */
  ready?(notice: LaneNotice): void
  /** A job will be, after so many milliseconds. */
  delayed?(inMs: number): void
  /** Somebody has cancelled jobs that are running. */
  cancelled?(ids: readonly string[]): void
  /** A run that counted for a limit has ended. */
  freed?(limit: string): void
  /** What a broker has been handed is to be put into the tables by whoever runs it, and begun by nobody. */
  recalled?(ids: readonly string[]): void
  /** Somebody looks for jobs that a broker was handed: who reads their queue says which of them are there. */
  sought?(search: JobSearch): void
  /** Which of the jobs that are looked for one of the readers has. */
  found?(answer: SearchAnswer): void
  /** Watched jobs have ended. */
  ended?(ids: readonly string[]): void
  /** Watched jobs have begun, have come further, or wait again. */
  changed?(ids: readonly string[]): void
}

/** A question to all who read a queue of a broker. */
export interface JobSearch {
  readonly id: string
  readonly queue: string
  readonly jobs: readonly string[]
}

/** What one of them answers. */
export interface SearchAnswer {
  readonly search: string
  readonly reader: string
  readonly jobs: readonly string[]
}

const channel = 'plimsoll_jobs'
/** A notification may have 8000 bytes. */
const mostBytes = 7000
/** What is told within so long goes together: each NOTIFY takes a lock on the whole database as it commits. */
const gatherMs = 2
/** How long a database that does not answer is waited for at the end. */
const lastMs = 2000

/**
 * Tells what has happened to readers here, and by NOTIFY to those of other processes. What is lost on the way is found by the next
 * look at the tables, a few seconds later.
 */
export class Bulletin {
  readonly #postgres: Postgres
  readonly #readers: Set<BulletinReader>
  /** By what they say, so that a thousand jobs of one lane are one line. */
  readonly #lines = new Map<string, string>()
  /** The first line of what this process tells, which it has heard already. */
  readonly #self = randomUUID()
  readonly #outside = AsyncLocalStorage.snapshot()
  #timer: NodeJS.Timeout | undefined
  #subscription: Promise<Subscription | undefined> | undefined

  constructor(postgres: Postgres) {
    this.#postgres = postgres
    this.#readers = postgres.engine === 'pglite' ? readersOf(postgres) : new Set()
  }

  /** Reads until the returned function is called. */
  read(reader: BulletinReader): () => void {
    this.#readers.add(reader)
    if (this.#postgres.engine === 'postgres') this.#listen()
    return () => void this.#readers.delete(reader)
  }

  ready(notices: readonly LaneNotice[]): void {
    // The first of a lane is enough.
    const first = new Map<string, LaneNotice>()
    for (const notice of notices) {
      const known = first.get(notice.lane.id)
      if (known === undefined || notice.seq < known.seq) first.set(notice.lane.id, notice)
    }
    for (const notice of first.values()) {
      for (const reader of this.#readers) reader.ready?.(notice)
      const { id, queue, priority, limit = null } = notice.lane
      const known = this.#lines.get(`r${id}`)
      if (known !== undefined && BigInt((JSON.parse(known) as string[])[5]!) <= notice.seq) continue
      this.#tell(`r${id}`, ['r', id, queue, priority, limit, String(notice.seq)])
    }
  }

  delayed(inMs: number): void {
    for (const reader of this.#readers) reader.delayed?.(inMs)
    const known = this.#lines.get('d')
    if (known === undefined || (JSON.parse(known) as [string, number])[1] > inMs) this.#tell('d', ['d', inMs])
  }

  cancelled(ids: readonly string[]): void {
    if (ids.length === 0) return
    for (const reader of this.#readers) reader.cancelled?.(ids)
    for (const id of ids) this.#tell(`c${id}`, ['c', id])
  }

  freed(limit: string): void {
    for (const reader of this.#readers) reader.freed?.(limit)
    this.#tell(`l${limit}`, ['l', limit])
  }

  recalled(ids: readonly string[]): void {
    for (const reader of this.#readers) reader.recalled?.(ids)
    for (const id of ids) this.#tell(`h${id}`, ['h', id])
  }

  sought(search: JobSearch): void {
    for (const reader of this.#readers) reader.sought?.(search)
    this.#tell(`s${search.id}`, ['s', search])
  }

  found(answer: SearchAnswer): void {
    for (const reader of this.#readers) reader.found?.(answer)
    this.#tell(`f${answer.search}${answer.reader}`, ['f', answer])
  }

  ended(ids: readonly string[]): void {
    if (ids.length === 0) return
    for (const reader of this.#readers) reader.ended?.(ids)
    for (const id of ids) this.#tell(`e${id}`, ['e', id])
  }

  changed(ids: readonly string[]): void {
    if (ids.length === 0) return
    for (const reader of this.#readers) reader.changed?.(ids)
    for (const id of ids) this.#tell(`p${id}`, ['p', id])
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer)
    const end = async (): Promise<void> => {
      await this.#send()
      const subscription = await this.#subscription
      await subscription?.close().catch(ignore)
    }
    await endsWithin(end(), lastMs)
  }

  #tell(key: string, line: readonly unknown[]): void {
    if (this.#postgres.engine !== 'postgres') return
    this.#lines.set(key, JSON.stringify(line))
    // A notification is nobody's transaction's: one that is rolled back must not keep it.
    this.#timer ??= this.#outside(() => setTimeout(() => void this.#send(), gatherMs))
  }

  async #send(): Promise<void> {
    this.#timer = undefined
    const lines = [...this.#lines.values()]
    this.#lines.clear()
    let payload = this.#self
    for (const line of lines) {
      if (payload !== this.#self && Buffer.byteLength(payload) + Buffer.byteLength(line) > mostBytes) {
        await this.#notify(payload)
        payload = this.#self
      }
      payload += `\n${line}`
    }
    if (payload !== this.#self) await this.#notify(payload)
  }

  // The database is away: what it has to tell is found when it is back.
  #notify(payload: string): Promise<void> {
    return this.#outside(() => this.#postgres.notify(channel, payload)).catch(ignore)
  }

  #listen(): void {
    this.#subscription ??= this.#outside(() =>
      this.#postgres.listen(channel, (payload) => this.#hear(payload), { keepAlive: false }),
    ).catch((error: unknown) => {
      // A transaction pooler will not learn it; anything else is tried again with the next reader.
      if (!isPlimsollError(error, 'PLIMSOLL_FEATURE_UNSUPPORTED')) this.#subscription = undefined
      return undefined
    })
  }

  #hear(payload: string): void {
    const [teller, ...lines] = payload.split('\n')
    if (teller === this.#self) return
    for (const text of lines) {
      const [kind, ...rest] = JSON.parse(text) as [string, ...never[]]
      for (const reader of this.#readers) this.#pass(reader, kind, rest)
    }
  }

  #pass(reader: BulletinReader, kind: string, rest: readonly unknown[]): void {
    switch (kind) {
      case 'r': {
        const [id, queue, priority, limit, seq] = rest as [string, string, number, string | null, string]
        reader.ready?.({ lane: { id, queue, priority, limit: limit ?? undefined }, seq: BigInt(seq) })
        break
      }
      case 'd':
        reader.delayed?.(rest[0] as number)
        break
      case 'c':
        reader.cancelled?.([rest[0] as string])
        break
      case 'l':
        reader.freed?.(rest[0] as string)
        break
      case 'h':
        reader.recalled?.([rest[0] as string])
        break
      case 's':
        reader.sought?.(rest[0] as JobSearch)
        break
      case 'f':
        reader.found?.(rest[0] as SearchAnswer)
        break
      case 'e':
        reader.ended?.([rest[0] as string])
        break
      case 'p':
        reader.changed?.([rest[0] as string])
        break
    }
  }
}

const embedded = new WeakMap<Postgres, Set<BulletinReader>>()

/** Who uses an embedded database is in this process. */
function readersOf(postgres: Postgres): Set<BulletinReader> {
  const readers = embedded.get(postgres) ?? new Set<BulletinReader>()
  embedded.set(postgres, readers)
  return readers
}

function ignore(): void {}
