import { createStatement, readTexts, type Executor, type Statement } from '../../postgres/index.ts'
import { rowColumns, toUploadRow, type UploadRow, type UploadState } from './upload-row.ts'

/** What our own statements write is no effect of anybody's. */
const own = (text: string): Statement => createStatement(text, { tracked: true })
const inMs = (value: string): string => `clock_timestamp() + ${value} * interval '1 millisecond'`

const insert =
  own(`insert into plimsoll.uploads (id, route, owner, name, type, size, sha256, crc32c, kind, part_bytes, expires_at)
  values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, ${inMs('$11::float8')}) on conflict (id) do nothing returning ${rowColumns}`)
const find = own(`select ${rowColumns} from plimsoll.uploads where id = $1 and route = $2`)
const setStoreId = own(`update plimsoll.uploads set store_id = $2 where id = $1 and store_id is null`)
/** Whoever goes on with an upload has it kept for a while yet. */
const prolong = own(`update plimsoll.uploads set expires_at = greatest(expires_at, ${inMs('$2::float8')})
  where id = $1 and state in ('open', 'whole') returning ${rowColumns}`)
const lock = own(`select ${rowColumns} from plimsoll.uploads where id = $1 for update`)
const end =
  own(`update plimsoll.uploads set state = $2, outcome = $3::jsonb, expires_at = ${inMs('$4::float8')}, writer = null
  where id = $1 and state in ('open', 'whole') returning ${rowColumns}, object_key`)
const noteKey = own(
  `update plimsoll.uploads set object_key = coalesce(object_key, $2) where id = $1 and state = 'open' returning object_key`,
)
const noteTakenBack = own(`update plimsoll.uploads set outcome = 'true' where id = $1 and state = 'open'`)
const setReceived = own(
  `update plimsoll.uploads set received = size, state = $2 where id = $1 and state = 'open' returning ${rowColumns}`,
)
const markTidy = own(`update plimsoll.uploads set tidy = true where id = $1`)
const giveUp = own(`update plimsoll.uploads set state = 'removing', expires_at = clock_timestamp()
  where id = $1 and state in ('open', 'whole', 'refused') returning ${rowColumns}, object_key`)
const takeGivenUp = own(`update plimsoll.uploads set state = 'removing', expires_at = ${inMs('$1::float8')}
  where id in (select id from plimsoll.uploads where expires_at < clock_timestamp() and state <> 'stored'
    order by expires_at limit $2 for update skip locked) returning ${rowColumns}, object_key`)
const findUntidy = own(`select ${rowColumns}, object_key from plimsoll.uploads
  where state in ('stored', 'refused') and not tidy limit $1`)
const forgetStored = own(
  `delete from plimsoll.uploads where state = 'stored' and tidy and expires_at < clock_timestamp()`,
)
const findKnown = own(`select id from plimsoll.uploads where id = any($1::text[])`)
const takeSweep = own(`insert into plimsoll.upload_sweeps (until) values (${inMs('$1::float8')})
  on conflict (one) do update set until = excluded.until where upload_sweeps.until < clock_timestamp() returning 1`)
const restSweep = own(`update plimsoll.upload_sweeps set until = ${inMs('$1::float8')}`)
const remove = own(`delete from plimsoll.uploads where id = $1`)

const takeWriter = own(`update plimsoll.uploads set writer = $2, writer_until = ${inMs('$3::float8')}
  where id = $1 and state = 'open' and (writer is null or writer_until < clock_timestamp()) returning ${rowColumns}`)
const keepWriter = own(`update plimsoll.uploads set writer_until = ${inMs('$3::float8')} where id = $1 and writer = $2`)
const freeWriter = own(`update plimsoll.uploads set writer = null where id = $1 and writer = $2`)
const append = own(`with moved as (
    update plimsoll.uploads set received = $4, expires_at = greatest(expires_at, ${inMs('$5::float8')})
    where id = $1 and writer = $2 and received = $3 and state = 'open' returning id),
  gone as (delete from plimsoll.upload_parts where upload in (select id from moved) and kind = 'tail'
    and not (number = any($6::int[])))
  insert into plimsoll.upload_parts (upload, number, kind, size, etag)
  select moved.id, part.number, part.kind, part.size, part.etag
  from moved, unnest($7::int[], $8::text[], $9::bigint[], $10::text[]) as part(number, kind, size, etag)
  on conflict (upload, kind, number) do update set size = excluded.size, etag = excluded.etag`)
const listParts = own(`select number, kind, size, etag from plimsoll.upload_parts where upload = $1 order by number`)

/** What was appended: parts of the store, and objects that wait to become one. */
export interface AppendedPart {
  readonly number: number
  readonly kind: 'part' | 'tail'
  readonly size: number
  readonly etag: string
}

/** An upload that has ended, and where it may have put a file. */
export interface EndedUpload {
  readonly row: UploadRow
  readonly key: string | undefined
}

/** What a new row has. */
export type NewUpload = Pick<
  UploadRow,
  'id' | 'route' | 'owner' | 'name' | 'type' | 'size' | 'sha256' | 'crc32c' | 'kind' | 'partBytes'
>

/** The rows of uploads, read and written. */
export const ledger = {
  /** The row; undefined when there is one of this id. */
  async insert(executor: Executor, row: NewUpload, keepMs: number): Promise<UploadRow | undefined> {
    const { id, route, owner, name, type, size, sha256, crc32c, kind, partBytes } = row
    const sums = [sha256 ?? null, crc32c ?? null]
    const values = [id, route, owner ?? null, name, type, size, ...sums, kind, partBytes, keepMs]
    return one(executor, insert, values)
  },
  find: (executor: Executor, id: string, route: string): Promise<UploadRow | undefined> =>
    one(executor, find, [id, route]),
  /** False when it has one already. */
  async setStoreId(executor: Executor, id: string, storeId: string): Promise<boolean> {
    return (await executor.execute(setStoreId, [id, storeId])).rowCount === 1
  },
  /** The row, if it is open still; kept so long at least. */
  prolong: (executor: Executor, id: string, keepMs: number): Promise<UploadRow | undefined> =>
    one(executor, prolong, [id, keepMs]),
  /** The row, which nobody else changes until the transaction ends. */
  lock: (executor: Executor, id: string): Promise<UploadRow | undefined> => one(executor, lock, [id]),
  /** The row as it has ended; undefined when it had before. It knows of the key that was noted for good. */
  async end(
    executor: Executor,
    id: string,
    { state, outcome, keepMs }: { readonly state: UploadState; readonly outcome: unknown; readonly keepMs: number },
  ): Promise<EndedUpload | undefined> {
    return (await readTexts(executor, end, [id, state, JSON.stringify(outcome), keepMs])).map(toEnded)[0]
  },
  /** Says where its bytes are about to be, before they are: whoever removes it finds them. The key, which may be noted already. */
  async noteKey(executor: Executor, id: string, key: string): Promise<string | undefined> {
    return (await readTexts(executor, noteKey, [id, key]))[0]?.[0] ?? undefined
  },
  /** Says that its file may be gone from its key, before it is: who stores the upload looks first. */
  async noteTakenBack(executor: Executor, id: string): Promise<void> {
    await executor.execute(noteTakenBack, [id])
  },
  /** All bytes are there. */
  setReceived: (executor: Executor, id: string, state: 'open' | 'whole'): Promise<UploadRow | undefined> =>
    one(executor, setReceived, [id, state]),
  async markTidy(executor: Executor, id: string): Promise<void> {
    await executor.execute(markTidy, [id])
  },
  /** The row, when it was not stored: from here on it will not be. */
  async giveUp(executor: Executor, id: string): Promise<EndedUpload | undefined> {
    return (await readTexts(executor, giveUp, [id])).map(toEnded)[0]
  },
  /** Uploads that nobody has gone on with in time, for whoever asks first; for another one after `leaseMs`. */
  async takeGivenUp(executor: Executor, leaseMs: number, most: number): Promise<readonly EndedUpload[]> {
    return (await readTexts(executor, takeGivenUp, [leaseMs, most])).map(toEnded)
  },
  /** Uploads that were stored, and left what had waited, or were refused, and left anything. */
  async findUntidy(executor: Executor, most: number): Promise<readonly EndedUpload[]> {
    return (await readTexts(executor, findUntidy, [most])).map(toEnded)
  },
  async forgetStored(executor: Executor): Promise<void> {
    await executor.execute(forgetStored, [])
  },
  /** Those of some ids that there are uploads of. */
  async known(executor: Executor, ids: readonly string[]): Promise<ReadonlySet<string>> {
    return new Set((await readTexts(executor, findKnown, [[...ids]])).map(([id]) => id!))
  },
  /** True for one process at a time, until it says when the next may, or is gone for `leaseMs`. */
  async takeSweep(executor: Executor, leaseMs: number): Promise<boolean> {
    return (await readTexts(executor, takeSweep, [leaseMs])).length === 1
  },
  async restSweep(executor: Executor, restMs: number): Promise<void> {
    await executor.execute(restSweep, [restMs])
  },
  async remove(executor: Executor, id: string): Promise<void> {
    await executor.execute(remove, [id])
  },
  /** The row, when nobody else writes to it. */
  takeWriter: (executor: Executor, id: string, writer: string, leaseMs: number): Promise<UploadRow | undefined> =>
    one(executor, takeWriter, [id, writer, leaseMs]),
  async keepWriter(executor: Executor, id: string, writer: string, leaseMs: number): Promise<void> {
    await executor.execute(keepWriter, [id, writer, leaseMs])
  },
  async freeWriter(executor: Executor, id: string, writer: string): Promise<void> {
    await executor.execute(freeWriter, [id, writer])
  },
  /** Notes what was appended, from `from` to `to`; false when somebody else has. Of the tails before only `keepTails` stay. */
  async append(
    executor: Executor,
    id: string,
    step: {
      readonly writer: string
      readonly from: number
      readonly to: number
      readonly keepMs: number
      readonly keepTails: readonly number[]
      readonly parts: readonly AppendedPart[]
    },
  ): Promise<boolean> {
    const { writer, from, to, keepMs, keepTails, parts } = step
    const column = <K extends keyof AppendedPart>(name: K): AppendedPart[K][] => parts.map((part) => part[name])
    const values = [
      id,
      writer,
      from,
      to,
      keepMs,
      [...keepTails],
      column('number'),
      column('kind'),
      column('size'),
      column('etag'),
    ]
    return (await executor.execute(append, values)).rowCount === parts.length
  },
  async parts(executor: Executor, id: string): Promise<readonly AppendedPart[]> {
    return (await readTexts(executor, listParts, [id])).map(([number, kind, size, etag]) => ({
      number: Number(number),
      kind: kind as AppendedPart['kind'],
      size: Number(size),
      etag: etag!,
    }))
  },
} as const

function toEnded(texts: readonly (string | null)[]): EndedUpload {
  return { row: toUploadRow(texts), key: texts.at(-1) ?? undefined }
}

async function one(
  executor: Executor,
  statement: Statement,
  values: Parameters<typeof readTexts>[2],
): Promise<UploadRow | undefined> {
  const [texts] = await readTexts(executor, statement, values)
  return texts && toUploadRow(texts)
}
