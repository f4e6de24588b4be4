import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { reportMissing } from './debian.ts'
import { freePort } from './free-port.ts'
import { ownerOf, type Owner } from './owner.ts'

/** A PostgreSQL server of the tests' own. */
export interface PostgresServer {
  readonly url: string
  /** The same over a socket that only this machine's users reach, which is never asked for a password. */
  readonly socketUrl: string
  /** Ends every session at once and throws unwritten state away, as a power cut would. */
  crash(): Promise<void>
  /** Starts again after a crash, on the same port with the same data; `settings` come on top of those it had. */
  restart(settings?: readonly string[]): Promise<void>
  stop(): Promise<void>
}

export interface PostgresServerOptions {
  /** Settings beside the tests' own, as `name=value`. */
  readonly settings?: readonly string[]
  /** The URL of a primary to be a standby of: the data is a copy of its. Default: new and empty. */
  readonly standbyOf?: string
  /** Changes the data folder before the first start. As made, it trusts everybody on loopback. */
  readonly prepare?: (data: string, owner: Owner) => void
}

/**
 * Starts a PostgreSQL on a free loopback port with its data in a temporary folder; undefined, with the reason printed,
 * when it is not installed outside CI.
 */
export async function startPostgres(options: PostgresServerOptions = {}): Promise<PostgresServer | undefined> {
  const bin = findPostgres()
  if (bin === undefined) {
    reportMissing('PostgreSQL', 'postgresql')
    return undefined
  }
  const folder = mkdtempSync(join(tmpdir(), 'plimsoll-postgres-'))
  const owner = ownerOf(folder)
  const data = join(folder, 'data')
  const initdb = ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8', '-N']
  const backup = ['-D', data, '-d', options.standbyOf ?? '', '-R', '-X', 'stream', '-c', 'fast', '-N']
  const [maker, args] = options.standbyOf === undefined ? ['initdb', initdb] : ['pg_basebackup', backup]
  // Not synchronously: the primary may be reached over a wire of this process.
  await promisify(execFile)(join(bin, maker), args, { ...owner, cwd: folder })
  options.prepare?.(data, owner)
  const port = await freePort()
  const settings = [
    'listen_addresses=127.0.0.1',
    `unix_socket_directories=${folder}`,
    'fsync=off',
    'max_connections=200',
    // A base backup begins with a checkpoint, which removes what a standby that is slow has not received: it would wait for ever.
    'wal_keep_size=160MB',
    ...(options.settings ?? []),
  ]
  const socketUrl = `postgres://postgres@localhost:${port}/postgres?host=${encodeURIComponent(folder)}`
  const run = async (more: readonly string[] = []): Promise<ChildProcess> => {
    const start = ['-D', data, '-p', String(port), ...[...settings, ...more].flatMap((setting) => ['-c', setting])]
    const server = spawn(join(bin, 'postgres'), start, { ...owner, cwd: folder, stdio: 'ignore' })
    await answers(socketUrl, server)
    return server
  }
  let server = await run()
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const ended = new Promise((resolve) => server.once('exit', resolve))
    server.kill(signal)
    await ended
  }
  return {
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    socketUrl,
    crash: () => end('SIGQUIT'),
    restart: async (more) => {
      server = await run(more)
    },
    stop: async () => {
      if (server.exitCode === null) await end('SIGINT')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** The folder of PostgreSQL's programs, the newest version there is. */
export function findPostgres(): string | undefined {
  const root = '/usr/lib/postgresql'
  const versions = existsSync(root) ? readdirSync(root).toSorted((a, b) => Number(b) - Number(a)) : []
  return versions.map((version) => join(root, version, 'bin')).find((bin) => existsSync(join(bin, 'initdb')))
}

async function answers(url: string, server: ChildProcess): Promise<void> {
  const until = Date.now() + 60_000
  for (;;) {
    const client = new pg.Client({ connectionString: url })
    try {
      await client.connect()
      await client.end()
      return
    } catch (error) {
      if (server.exitCode !== null) throw new Error('PostgreSQL ended while it started.', { cause: error })
      if (Date.now() > until) throw new Error('PostgreSQL did not answer within a minute.', { cause: error })
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}
