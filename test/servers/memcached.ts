import { existsSync } from 'node:fs'
import { reportMissing } from './debian.ts'
import { freePort } from './free-port.ts'
import { runServer, type RunningServer } from './running-server.ts'

const program = '/usr/bin/memcached'

/** A Memcached of the tests' own. */
export interface MemcachedServer extends Omit<RunningServer, 'end'> {
  readonly url: string
  readonly port: number
  /** Ends it, and with it all that it keeps: after a restart it is empty. */
  stop(): Promise<void>
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
  const { end, ...server } = await runServer({ name: 'Memcached', program, args, port })
  return { ...server, url: `memcached://127.0.0.1:${port}`, port, stop: () => end() }
}
