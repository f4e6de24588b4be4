import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { reportMissing } from './debian.ts'
import { freePort } from './free-port.ts'
import { runServer, type RunningServer } from './running-server.ts'

const program = '/usr/bin/redis-server'

/** A Redis of the tests' own. */
export interface RedisServer extends Omit<RunningServer, 'end'> {
  readonly url: string
  readonly port: number
  /** Its data folder, where it leaves `dump.rdb` when it is told to SAVE. */
  readonly folder: string
  /** Ends it at once, as a power cut would; after a restart it has what its folder holds. */
  crash(): Promise<void>
  stop(): Promise<void>
}

/** How a Redis is started. */
export interface RedisServerOptions {
  /** Arguments beside the tests' own. */
  readonly args?: readonly string[]
  /** Changes the data folder before the first start. */
  readonly prepare?: (folder: string) => void
  /** Listens with TLS alone. Default false. */
  readonly tls?: boolean
}

/** Where Redis is. */
export function findRedis(): string | undefined {
  return existsSync(program) ? program : undefined
}

/**
 * Starts a Redis on a free loopback port, with its data in a temporary folder, which it writes when it is told to; undefined,
 * with the reason printed, when it is not installed outside CI.
 */
export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer | undefined> {
  if (findRedis() === undefined) {
    reportMissing('Redis', 'redis-server')
    return undefined
  }
  const folder = mkdtempSync(join(tmpdir(), 'plimsoll-redis-'))
  options.prepare?.(folder)
  const port = await freePort()
  const listen = options.tls ? ['--port', '0', '--tls-port', String(port)] : ['--port', String(port)]
  const own = ['--bind', '127.0.0.1', '--dir', folder, '--save', '', '--appendonly', 'no', '--logfile', 'redis.log']
  const args = [...listen, ...own, ...(options.args ?? [])]
  const { end, ...server } = await runServer({
    name: 'Redis',
    program,
    args,
    port,
    folder,
    answers: () => answers(port, options.tls === true),
  })
  return {
    ...server,
    url: `${options.tls ? 'rediss' : 'redis'}://127.0.0.1:${port}`,
    port,
    folder,
    crash: () => end(),
    stop: async () => {
      await end()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** True when it answers, though it should refuse us; with TLS, when it listens. */
function answers(port: number, tls: boolean): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      if (tls) end(true)
      else socket.write('PING\r\n')
    })
    const end = (answer: boolean): void => {
      socket.destroy()
      resolve(answer)
    }
    socket.once('error', () => end(false))
    // It listens before it has loaded its data.
    socket.once('data', (chunk) => end(!chunk.toString().startsWith('-LOADING')))
  })
}
