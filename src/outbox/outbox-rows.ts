import { AsyncLocalStorage } from 'node:async_hooks'
import type { WireValue } from '../core/wire.ts'
import {
  createStatement,
  type BatchItem,
  type Postgres,
  type Statement,
  type Transaction,
  readTexts,
  rowTexts,
} from '../postgres/index.ts'
import { errorText } from './carriers.ts'
import { Batched } from './batched.ts'

/** The channel that wakes the relays of all processes. */
export const wakeChannel = 'plimsoll_outbox'

/** A claim lasts longer than a carrier is given, so that a row is carried by one relay at a time. */
const claimSeconds = 35

/**
 * Carried rows are deleted together, since each delete is a commit: well before a relay takes them for left, which they are for
 * nobody's harm when the process ends before.
 */
const forgetAfterMs = 100

/** What our own statements write is no effect of anybody's. None is readOnly: what a replica knows is too old. */
const own = (text: string): Statement => createStatement(text, { tracked: true })

const returnedRow = 'id, attempts, to_json(items)::text'
// The writer carries its own effects first: a relay takes what is older than a second. Not now(), which is when the
// transaction began.
const insertLater = own(
  `insert into plimsoll.outbox (kind, items, due_at) values ($1, $2, clock_timestamp() + interval '1 second') returning id`,
)
const insertDue = own(
  `with added as (insert into plimsoll.outbox (kind, items, attempts, last_error) values ($1, $2, 1, $3) returning kind)
  select pg_notify('${wakeChannel}', kind) from added`,
)

/**
 * Copies are carried so long after their write, in milliseconds: when no process answers by what it held before (one that has heard
 * nothing for as long asks again), and together with those of other writes.
 */
export const copyDelayMs = 500
const insertCopy = own(
  `insert into plimsoll.outbox (kind, items, due_at)
  values ($1, $2, clock_timestamp() + interval '${copyDelayMs} milliseconds')`,
)
const deleteRows = own('delete from plimsoll.outbox where id = any($1::bigint[])')
const markFailed = own(
  `with failed as (
    update plimsoll.outbox set attempts = attempts + 1, due_at = clock_timestamp(), last_error = $2
    where id = any($1::bigint[]) returning kind)
  select pg_notify('${wakeChannel}', kind) from (select distinct kind from failed) kinds`,
)
const postponeRow = own(
  `update plimsoll.outbox set due_at = clock_timestamp() + $2 * interval '1 millisecond', last_error = $3 where id = $1`,
)
const claimRows = own(
  `update plimsoll.outbox set attempts = attempts + 1, due_at = clock_timestamp() + interval '${claimSeconds} seconds'
  where id in (
    select id from plimsoll.outbox where kind = $1 and due_at <= clock_timestamp() order by due_at limit $2
    for update skip locked)
  returning ${returnedRow}`,
)
const readRows = own(
  `select ${returnedRow} from plimsoll.outbox where kind = $1 and id > $2 and id <= $3 order by id limit $4`,
)
const findIds = own('select id from plimsoll.outbox where id = any($1::bigint[])')
const findItems = own(
  `select item from plimsoll.outbox cross join unnest(items) as item
  where kind = $1 and exists (select from unnest($2::text[]) as sought where strpos(item, sought) > 0)`,
)
const newestId = own('select coalesce(max(id), 0) from plimsoll.outbox where kind = $1')

/** A recorded effect. */
export interface OutboxRow {
  readonly id: string
  /** How often it was taken up, this time included. */
  readonly attempts: number
  readonly items: readonly string[]
}

interface FailedRow {
  readonly id: string
  readonly error: unknown
}

/** The rows of `plimsoll.outbox`. */
export class OutboxRows {
  readonly #postgres: Postgres
  // Rows are the business of no transaction that the caller happens to run in, or has run in.
  readonly #outside = AsyncLocalStorage.snapshot()
  readonly #carried: Batched<string>
  readonly #failed: Batched<FailedRow>

  constructor(postgres: Postgres) {
    this.#postgres = postgres
    this.#carried = new Batched(forgetAfterMs, (ids) => this.delete(ids))
    this.#failed = new Batched(0, async (failed) => {
      // One error for all: they failed at the same moment, for what is most likely the same reason.
      await this.#run(markFailed, [failed.map(({ id }) => id), errorText(failed.at(-1)!.error)])
    })
  }

  /** The statement that records effects with the transaction it leaves with; `inserted` is told the id. */
  insertion(kind: string, items: readonly string[], inserted: (id: string) => void): BatchItem {
    return {
      statement: insertLater,
      values: [kind, items],
      sink: (chunk, start) => inserted(rowTexts(chunk, start)[0]!),
    }
  }

  /** The statement that records a copy, with the transaction it leaves with. */
  copyInsertion(kind: string, items: readonly string[]): BatchItem {
    return { statement: insertCopy, values: [kind, items] }
  }

  /** Records a copy of something that is committed. */
  async insertCopy(kind: string, items: readonly string[]): Promise<void> {
    await this.#run(insertCopy, [kind, items])
  }

  /** Records effects in a transaction that goes on; the id of the row. */
  async insert(transaction: Transaction, kind: string, items: readonly string[]): Promise<string> {
    return (await readTexts(transaction, insertLater, [kind, items]))[0]![0]!
  }

  /** Which of these rows are there. */
  async present(ids: readonly string[]): Promise<ReadonlySet<string>> {
    return new Set((await this.#run(findIds, [ids])).map(([id]) => id!))
  }

  /** The items of a kind that contain one of the texts, as the transaction sees them that the caller runs in. */
  async search(kind: string, texts: readonly string[]): Promise<string[]> {
    return (await readTexts(this.#postgres, findItems, [kind, texts])).map(([item]) => item!)
  }

  /** Records effects that could not be carried and have no transaction any more, and wakes the relays. */
  async insertFailed(kind: string, items: readonly string[], error: unknown): Promise<void> {
    await this.#run(insertDue, [kind, items, errorText(error)])
  }

  /** Forgets what was carried, together with others and without anybody waiting: when it fails, a relay carries it again. */
  carried(ids: readonly string[]): void {
    this.#carried.add(ids)
  }

  /** Leaves to the relays what its own writer could not carry. */
  failed(ids: readonly string[], error: unknown): void {
    this.#failed.add(ids.map((id) => ({ id, error })))
  }

  async delete(ids: readonly string[]): Promise<void> {
    await this.#run(deleteRows, [ids])
  }

  async postpone({ id }: OutboxRow, delayMs: number, error: unknown): Promise<void> {
    await this.#run(postponeRow, [id, Math.ceil(delayMs), errorText(error)])
  }

  /** Takes at most `most` rows that are due, so that no other relay takes them for a while. */
  async claim(kind: string, most: number): Promise<OutboxRow[]> {
    return (await this.#run(claimRows, [kind, most])).map(toRow)
  }

  /** What is there, due or not, from after one id up to another. */
  async read(
    kind: string,
    range: { readonly after: string; readonly upTo: string; readonly most: number },
  ): Promise<OutboxRow[]> {
    const { after, upTo, most } = range
    return (await this.#run(readRows, [kind, after, upTo, most])).map(toRow)
  }

  async newestId(kind: string): Promise<string> {
    return (await this.#run(newestId, [kind]))[0]![0]!
  }

  #run(statement: Statement, values: readonly WireValue[]): Promise<(string | null)[][]> {
    return this.#outside(() => readTexts(this.#postgres, statement, values))
  }

  /** Resolves when what was handed to `carried` and `failed` is written. */
  async idle(): Promise<void> {
    await Promise.all([this.#carried.idle(), this.#failed.idle()])
  }
}

function toRow([id, attempts, items]: readonly (string | null)[]): OutboxRow {
  return { id: id!, attempts: Number(attempts), items: JSON.parse(items!) as string[] }
}
