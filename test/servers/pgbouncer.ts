import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { reportMissing } from './debian.ts'
import { freePort } from './free-port.ts'
import { ownerOf } from './owner.ts'
import { runServer } from './running-server.ts'

const program = '/usr/sbin/pgbouncer'

/** A PgBouncer of the tests' own. */
export interface Pooler {
  /** The URL of the same database, through the pooler. */
  readonly url: string
  stop(): Promise<void>
}

/** Where PgBouncer is. */
export function findPgBouncer(): string | undefined {
  return existsSync(program) ? program : undefined
}

/** True when PgBouncer is there; says so when it is not. */
export function hasPgBouncer(): boolean {
  if (findPgBouncer() === undefined) reportMissing('PgBouncer', 'pgbouncer')
  return findPgBouncer() !== undefined
}

/**
 * Starts PgBouncer before the database at `url`, in transaction mode: a session has another server connection for each
 * transaction, of which there are `serverConnections` (default 4). `ignoring` are the start-up parameters that it lets
 * clients send without passing them on.
 */
export async function startPgBouncer(
  url: string,
  { serverConnections = 4, ignoring = [] as readonly string[] } = {},
): Promise<Pooler> {
  const folder = mkdtempSync(join(tmpdir(), 'plimsoll-pgbouncer-'))
  const owner = ownerOf(folder)
  const server = new URL(url)
  const port = await freePort()
  writeFileSync(
    join(folder, 'pgbouncer.ini'),
    `[databases]
* = host=127.0.0.1 port=${server.port} user=${server.username}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = ${serverConnections}
max_client_conn = 500
ignore_startup_parameters = ${ignoring.join(',')}
`,
  )
  const args = [join(folder, 'pgbouncer.ini')]
  const pooler = await runServer({ name: 'PgBouncer', program, args, port, folder, owner })
  return {
    url: Object.assign(new URL(url), { port: String(port) }).href,
    async stop() {
      await pooler.end()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
