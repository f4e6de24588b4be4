import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync, chownSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import pg from 'pg'
import { freePort } from '../../test/servers/free-port.ts'
import { requireInstalled } from './debian.ts'

/** A PostgreSQL that the bench may fill with its own databases. */
export interface BenchServer extends AsyncDisposable {
  /** Connects to the maintenance database as a superuser. */
  readonly url: string
  /** The postmaster; undefined when the server is not on this machine. */
  readonly pid: number | undefined
}

/**
 * Settings that differ from PostgreSQL's defaults; `fsync`, `synchronous_commit` and everything else stay as they are.
 * Every contestant has ten connections at most, and all are open at once.
 */
export const serverSettings: Readonly<Record<string, string>> = { max_connections: '200', shared_buffers: '512MB' }

/**
 * Starts a PostgreSQL on a free loopback port with its data in a temporary folder; closing it stops the server and deletes
 * the folder. A server that `DATABASE_URL` names is used as it is, and left running.
 */
export async function openServer(): Promise<BenchServer> {
  const given = process.env['DATABASE_URL']
  if (given) return { url: given, pid: undefined, [Symbol.asyncDispose]: async () => {} }
  const bin = findBinaries()
  const folder = mkdtempSync(join(tmpdir(), 'plimsoll-bench-'))
  const owner = serverUser()
  if (owner) chownSync(folder, owner.uid, owner.gid)
  const data = join(folder, 'data')
  const made = spawnSync(
    join(bin, 'initdb'),
    ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'],
    { ...owner, encoding: 'utf8', cwd: folder },
  )
  if (made.status !== 0) throw new Error(`initdb failed: ${made.error?.message ?? made.stderr}`)
  const port = await freePort()
  const settings = {
    ...serverSettings,
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: folder,
  }
  const server = spawn(
    join(bin, 'postgres'),
    ['-D', data, ...Object.entries(settings).flatMap(([key, value]) => ['-c', `${key}=${value}`])],
    { ...owner, stdio: 'ignore', cwd: folder },
  )
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`
  const stop = async (): Promise<void> => {
    await stopServer(server)
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    await waitUntilReady(url, server)
  } catch (error) {
    await stop()
    throw error
  }
  return { url, pid: server.pid, [Symbol.asyncDispose]: stop }
}

function findBinaries(): string {
  return requireInstalled(
    () => {
      const debian = '/usr/lib/postgresql'
      const versions = existsSync(debian) ? readdirSync(debian).toSorted((a, b) => Number(b) - Number(a)) : []
      const folders = [
        ...versions.map((version) => join(debian, version, 'bin')),
        ...(process.env['PATH'] ?? '').split(delimiter),
      ]
      return folders.find((folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'postgres')))
    },
    { name: "PostgreSQL's server (or a DATABASE_URL)", debianPackage: 'postgresql' },
  )
}

/** PostgreSQL refuses to run as root; Debian's package brings a user for it. */
function serverUser(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined
  const id = (flag: string): number => Number(spawnSync('id', [flag, 'postgres'], { encoding: 'utf8' }).stdout)
  return { uid: id('-u'), gid: id('-g') }
}

async function waitUntilReady(url: string, server: ChildProcess): Promise<void> {
  for (const deadline = Date.now() + 30_000; ;) {
    const client = new pg.Client({ connectionString: url })
    try {
      await client.connect()
      return await client.end()
    } catch (error) {
      if (server.exitCode !== null || Date.now() > deadline)
        throw new Error('PostgreSQL did not start', { cause: error })
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
}

/** SIGINT is PostgreSQL's fast shutdown. */
async function stopServer(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return
  await new Promise<void>((resolve) => {
    server.once('exit', () => resolve())
    server.kill('SIGINT')
  })
}
