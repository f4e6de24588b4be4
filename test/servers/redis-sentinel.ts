import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from './free-port.ts'
import { findRedis, type RedisServer } from './redis.ts'
import { runServer } from './running-server.ts'

/** A sentinel of the tests' own, which decides alone. */
export interface RedisSentinel {
  readonly port: number
  stop(): Promise<void>
}

/** Starts one that watches a master under a name, and takes it for dead after a second of silence. It listens with TLS where that does. */
export async function startRedisSentinel(
  name: string,
  { master, args = [] }: { readonly master: RedisServer; readonly args?: readonly string[] },
): Promise<RedisSentinel> {
  const folder = mkdtempSync(join(tmpdir(), 'plimsoll-sentinel-'))
  const port = await freePort()
  // It writes what it learns into its file.
  const file = join(folder, 'sentinel.conf')
  const tls = master.url.startsWith('rediss:')
  const lines = [
    ...(tls ? ['port 0', `tls-port ${port}`, 'tls-replication yes'] : [`port ${port}`]),
    'bind 127.0.0.1',
    `dir ${folder}`,
    'logfile sentinel.log',
    `sentinel monitor ${name} 127.0.0.1 ${master.port} 1`,
    `sentinel down-after-milliseconds ${name} 1000`,
    `sentinel failover-timeout ${name} 5000`,
    ...args,
  ]
  writeFileSync(file, `${lines.join('\n')}\n`)
  const server = await runServer({
    name: 'Redis Sentinel',
    program: findRedis()!,
    args: [file, '--sentinel'],
    port,
    folder,
  })
  return {
    port,
    stop: async () => {
      await server.end()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
