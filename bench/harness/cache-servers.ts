import { spawnSync } from 'node:child_process'
import { findProgram } from './debian.ts'
import { startLocalServer, type LocalServer } from './local-server.ts'

/** Starts a Redis that keeps everything in memory and nothing on disk, or writes what it is told into a log that it syncs each second. */
export function startRedis({ log = false } = {}): Promise<LocalServer> {
  return startLocalServer({
    program: 'redis-server',
    debianPackage: 'redis-server',
    args: ({ port, folder }) => {
      const settings = { port: String(port), bind: '127.0.0.1', dir: folder, save: '', appendonly: log ? 'yes' : 'no' }
      return Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value])
    },
  })
}

/** Starts a Memcached with room for everything that the bench keeps, and its default of four threads. */
export function startMemcached(): Promise<LocalServer> {
  return startLocalServer({
    program: 'memcached',
    debianPackage: 'memcached',
    args: ({ port }) => {
      // It refuses to run as root without being told that it may.
      const user = process.getuid?.() === 0 ? ['-u', 'root'] : []
      return ['-l', '127.0.0.1', '-p', String(port), '-U', '0', '-m', '1024', ...user]
    },
  })
}

/** For example `7.0.15`. */
export function redisVersion(): string {
  return versionOf('redis-server', 'redis-server')
}

/** For example `1.6.18`. */
export function memcachedVersion(): string {
  return versionOf('memcached', 'memcached')
}

function versionOf(program: string, debianPackage: string): string {
  const { stdout, stderr } = spawnSync(findProgram(program, debianPackage), ['--version'], { encoding: 'utf8' })
  return /\d+(?:\.\d+)+/.exec(stdout + stderr)?.[0] ?? 'unknown'
}
