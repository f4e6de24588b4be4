import { createStatement, readTexts, type Postgres } from '../../../postgres/index.ts'
import { mostCounted, type JobState, type QueueCount } from '../../contract.ts'

/** How many rows are looked at of what waits, in all lanes. */
const mostWaiting = 10 * mostCounted

const own = (text: string): ReturnType<typeof createStatement> => createStatement(text, { tracked: true })

const first = (state: JobState, order: string): string =>
  `select state, queue, count(*), false from (
    select state, queue from plimsoll.jobs where state = '${state}' order by ${order} limit ${mostCounted + 1}) bounded group by 1, 2`

/**
 * What waits is counted lane by lane, from the index alone where it can be; each of the other states in its own index. Every part ends
 * at its bound. `true` stands beside a queue of which a lane holds more.
 */
const countSome = own(`with recursive found as (
    (select lane, queue from plimsoll.jobs where state = 'waiting' order by lane, seq limit 1)
    union all
    select next.* from found cross join lateral (
      select lane, queue from plimsoll.jobs where state = 'waiting' and lane > found.lane order by lane, seq limit 1) next)
  select 'waiting', queue, sum(rows), bool_or(rows > ${mostCounted}) from (
    select lane, queue, count(*) as rows from (
      select found.lane, found.queue from found cross join lateral (
        select from plimsoll.jobs where state = 'waiting' and lane = found.lane order by seq limit ${mostCounted + 1}) one
      limit ${mostWaiting}) bounded group by 1, 2) lanes group by queue
  union all (${first('delayed', 'due_at')})
  union all (${first('active', 'worker')})
  union all (${first('failed', 'state, seq')})
  union all (${first('parked', 'state, seq')})
  union all (${first('quarantined', 'state, seq')})`)

/** How many rows an index holds, by what the last vacuum or analyze has found and what it has grown by since. */
const estimate = own(`select c.relname,
    c.reltuples / c.relpages * (pg_relation_size(c.oid) / current_setting('block_size')::int)
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname = 'plimsoll' and c.relname like 'jobs\\_%\\_idx' and c.relpages > 0 and c.reltuples > 0`)

interface Depth {
  readonly queue: string
  readonly state: JobState
  readonly count: number
  /** There are more of them. */
  readonly more: boolean
}

/** How many jobs have not ended, or are stuck; see `depths` of the contract. */
export async function readDepths(postgres: Postgres): Promise<readonly QueueCount[]> {
  const depths = (await readTexts(postgres, countSome)).map(([state, queue, count, more]): Depth => ({
    state: state as JobState,
    queue: queue!,
    count: Number(count),
    more: more === 't',
  }))
  const states = [...new Set(depths.map(({ state }) => state))]
  const cut = states.filter((state) => isCut(depths.filter((depth) => depth.state === state)))
  if (cut.length === 0) return depths.map(({ queue, state, count }) => ({ queue, state, count }))
  const rows = await readTexts(postgres, estimate)
  const sizes = new Map(rows.map(([index, size]) => [index!, Number(size)]))
  return states.flatMap((state) => {
    const counted = depths.filter((depth) => depth.state === state)
    const stuck = depths.filter((depth) => depth.state !== state && indexOf(depth.state) === indexOf(state))
    const size = (sizes.get(indexOf(state)) ?? 0) - sum(stuck)
    return cut.includes(state) ? raise(counted, size) : counted.map(({ queue, count }) => ({ queue, state, count }))
  })
}

function isCut(counted: readonly Depth[]): boolean {
  const bound = counted[0]?.state === 'waiting' ? mostWaiting : mostCounted + 1
  return sum(counted) >= bound || counted.some(({ more }) => more)
}

/** Spreads what was not counted over the queues that go on, by what was seen of them. */
function raise(counted: readonly Depth[], size: number): QueueCount[] {
  const rest = Math.max(0, size - sum(counted))
  const longer = counted.some(({ more }) => more) ? counted.filter(({ more }) => more) : counted
  const seen = sum(longer)
  return counted.map((depth) => {
    const { queue, state, count } = depth
    return { queue, state, count: longer.includes(depth) ? Math.round(count + (rest * count) / seen) : count }
  })
}

function indexOf(state: JobState): string {
  const own = state === 'waiting' || state === 'delayed' || state === 'active'
  return `jobs_${own ? state : 'stuck'}_idx`
}

function sum(depths: readonly Depth[]): number {
  return depths.reduce((total, { count }) => total + count, 0)
}
