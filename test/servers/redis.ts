import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { reportMissing } from './debian.ts'
import { freePort } from './free-port.ts'
import { pause } from './pause.ts'

const program = '/usr/bin/redis-server'

/** A Redis of the tests' own. */
export interface RedisServer {
  readonly url: string
  readonly port: number
  /** Its data folder, where it leaves `dump.rdb` when it is told to SAVE. */
  readonly folder: string
  /** Stops answering, without closing anything, until it is resumed. */
  pause(): void
  resume(): void
  /** Ends it at once, as a power cut would. */
  crash(): Promise<void>
  /** Starts again after a crash, on the same port, with what its folder holds. */
  restart(): Promise<void>
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
  const run = async (): Promise<ChildProcess> => {
    const server = spawn(program, args, { cwd: folder, stdio: 'ignore' })
    while (!(await answers(port, options.tls === true))) {
      if (server.exitCode !== null) throw new Error('Redis ended while it started.')
    }
    return server
  }
  let server = await run()
  const crash = async (): Promise<void> => {
    if (server.exitCode !== null || server.signalCode !== null) return
    const ended = new Promise((resolve) => server.once('exit', resolve))
    server.kill('SIGKILL')
    await ended
  }
  return {
    url: `${options.tls ? 'rediss' : 'redis'}://127.0.0.1:${port}`,
    port,
    folder,
    pause: () => pause(server),
    resume: () => void server.kill('SIGCONT'),
    crash,
    restart: async () => {
      server = await run()
    },
    stop: async () => {
      await crash()
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
      if (answer) resolve(true)
      else setTimeout(resolve, 20, false)
    }
    socket.once('error', () => end(false))
    // It listens before it has loaded its data.
    socket.once('data', (chunk) => end(!chunk.toString().startsWith('-LOADING')))
  })
}
