import pg from 'pg'
import { startPostgres, type PostgresServer } from './postgres.ts'

/** A standby that streams from a primary, and the ways to hold it back. */
export interface Replica extends PostgresServer {
  /** Replays nothing more until {@link resume}; resolves when that has begun. */
  pause(): Promise<void>
  resume(): Promise<void>
  /** Makes it a primary of its own. */
  promote(): Promise<void>
  /** Resolves when it has replayed what the server at `url` has written by now. */
  caughtUpWith(url: string): Promise<void>
}

/** Starts a standby of the server at `primary` from a base backup. `applyDelay`: how late it replays each commit, such as `5s`. */
export async function startReplica(
  primary: string,
  { applyDelay = '0', settings = [] as readonly string[] } = {},
): Promise<Replica> {
  const delayed = [
    `recovery_min_apply_delay=${applyDelay}`,
    'wal_receiver_timeout=2s',
    'wal_retrieve_retry_interval=100ms',
  ]
  const server = await startPostgres({ standbyOf: primary, settings: [...delayed, ...settings] })
  if (server === undefined) throw new Error('There is no PostgreSQL.')
  const { url } = server
  return {
    ...server,
    async pause() {
      await query(url, 'select pg_wal_replay_pause()')
      await until(url, `select pg_get_wal_replay_pause_state() = 'paused'`)
    },
    resume: () => query(url, 'select pg_wal_replay_resume()'),
    promote: () => query(url, 'select pg_promote()'),
    async caughtUpWith(primaryUrl) {
      const client = await connect(primaryUrl)
      // A record of its own, and a commit behind it, without which it might stay in memory.
      const { rows } = await client.query<{ lsn: string }>(`select pg_logical_emit_message(true, '', '') as lsn`)
      await client.end()
      await until(url, `select pg_last_wal_replay_lsn() >= '${rows[0]!.lsn}'`)
    },
  }
}

/** Runs SQL on a connection of its own. */
export async function query(url: string, text: string): Promise<void> {
  const client = await connect(url)
  try {
    await client.query(text)
  } finally {
    await client.end()
  }
}

async function until(url: string, condition: string): Promise<void> {
  const client = await connect(url)
  const end = Date.now() + 60_000
  try {
    for (;;) {
      const { rows } = await client.query<[boolean]>({ text: condition, rowMode: 'array' })
      if (rows[0]![0]) return
      if (Date.now() > end) {
        const receiver = await client.query('select * from pg_stat_wal_receiver')
        throw new Error(`Not within a minute: ${condition}. Its receiver: ${JSON.stringify(receiver.rows)}`)
      }
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  } finally {
    await client.end().catch(() => {})
  }
}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url })
  // Of a server that is stopped while somebody waits for it.
  client.on('error', () => {})
  await client.connect()
  return client
}
