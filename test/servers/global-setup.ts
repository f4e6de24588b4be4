import type { TestProject } from 'vitest/node'
import { findBrowser } from '../e2e/browser.ts'
import { installPackages } from './debian.ts'
import { findMemcached, startMemcached } from './memcached.ts'
import { findNginx } from './nginx.ts'
import { findPgBouncer } from './pgbouncer.ts'
import { findPostgres, startPostgres } from './postgres.ts'
import { findRedis, startRedis } from './redis.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** The PostgreSQL of the test run; '' when there is none. */
    postgresUrl: string
    /** The Memcached of the test run; '' when there is none. */
    memcachedUrl: string
    /** The Redis of the test run; '' when there is none. */
    redisUrl: string
  }
}

/** One PostgreSQL for the whole run: every test file makes databases of its own on it. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const needed = [
    { package: 'postgresql', found: findPostgres() },
    { package: 'pgbouncer', found: findPgBouncer() },
    { package: 'memcached', found: findMemcached() },
    { package: 'redis-server', found: findRedis() },
    { package: 'nginx', found: findNginx() },
    { package: 'chromium', found: findBrowser() },
  ]
  installPackages(needed.filter(({ found }) => found === undefined).map((need) => need.package))
  const server = await startPostgres()
  project.provide('postgresUrl', server?.url ?? '')
  const memcached = await startMemcached()
  project.provide('memcachedUrl', memcached?.url ?? '')
  const redis = await startRedis()
  project.provide('redisUrl', redis?.url ?? '')
  return async () => {
    await server?.stop()
    await memcached?.stop()
    await redis?.stop()
  }
}
