import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { reportMissing } from './debian.ts'
import { freePort } from './free-port.ts'
import { untilListening } from './listening.ts'
import { pause } from './pause.ts'

const program = '/usr/bin/memcached'

/** A Memcached of the tests' own. */
export interface MemcachedServer {
  readonly url: string
  readonly port: number
  /** Stops answering, without closing anything, until it is resumed. */
  pause(): void
  resume(): void
  /** Ends it, and with it all that it keeps. */
  stop(): Promise<void>
  /** Starts again after a stop, empty, on the same port. */
  restart(): Promise<void>
}

/** Where Memcached is. */
export function findMemcached(): string | undefined {
  return existsSync(program) ? program : undefined
}

/**
 * Starts a Memcached on a free loopback port with `megabytes` of memory (default 64), and settings beside the tests' own;
 * undefined, with the reason printed, when it is not installed outside CI.
 */
export async function startMemcached({ megabytes = 64, settings = [] as readonly string[] } = {}): Promise<
  MemcachedServer | undefined
> {
  if (findMemcached() === undefined) {
    reportMissing('Memcached', 'memcached')
    return undefined
  }
  const port = await freePort()
  // It refuses to run as root without being told that it may.
  const user = process.getuid?.() === 0 ? ['-u', 'root'] : []
  const args = ['-l', '127.0.0.1', '-p', String(port), '-U', '0', '-m', String(megabytes), ...user, ...settings]
  const run = async (): Promise<ChildProcess> => {
    const server = spawn(program, args, { stdio: 'ignore' })
    await untilListening(server, port, 'Memcached')
    return server
  }
  let server = await run()
  return {
    url: `memcached://127.0.0.1:${port}`,
    port,
    pause: () => pause(server),
    resume: () => void server.kill('SIGCONT'),
    async stop() {
      if (server.exitCode !== null || server.signalCode !== null) return
      const ended = new Promise((resolve) => server.once('exit', resolve))
      server.kill('SIGKILL')
      await ended
    },
    async restart() {
      server = await run()
    },
  }
}
