import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { findBrowser } from '../e2e/browser.ts'
import { offerStudio } from '../e2e/filled-studio.ts'
import { preferBaselineWasm } from './baseline-wasm.ts'
import { installPackages } from './debian.ts'
import { findFfmpeg } from './ffmpeg.ts'
import { findMemcached, startMemcached } from './memcached.ts'
import { findNginx } from './nginx.ts'
import { makePgliteTemplate } from './pglite-template.ts'
import { findOpenpyxl } from './openpyxl.ts'
import { findPgBouncer } from './pgbouncer.ts'
import { findPostgres, startPostgres } from './postgres.ts'
import { findRadosgw, offerRadosgw, radosgwPackages } from './radosgw.ts'
import { findRabbitmq } from './rabbitmq.ts'
import { findRedis, startRedis } from './redis.ts'
import { offerRabbitmq } from './shared-rabbitmq.ts'
import { findVarnish } from './varnish.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** The PostgreSQL of the test run; '' when there is none. */
    postgresUrl: string
    /** Where a new database of PGlite is, as the folder `db` and the archive `db.tar`. */
    pgliteTemplate: string
    /** The Memcached of the test run; '' when there is none. */
    memcachedUrl: string
    /** The Redis of the test run; '' when there is none. */
    redisUrl: string
    /** Where the Ceph of the test run is to be had. */
    radosgwOffer: string
    /** Where the RabbitMQ of the test run is to be had. */
    rabbitmqOffer: string
    /** Where studios that have filled their tables are to be had. */
    studioOffer: string
  }
}

/** One PostgreSQL for the whole run: every test file makes databases of its own on it. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const needed = [
    { package: 'postgresql', found: findPostgres() },
    { package: 'pgbouncer', found: findPgBouncer() },
    { package: 'memcached', found: findMemcached() },
    { package: 'redis-server', found: findRedis() },
    { package: 'rabbitmq-server', found: findRabbitmq() },
    { package: 'nginx', found: findNginx() },
    { package: 'ffmpeg', found: findFfmpeg() },
    { package: 'varnish', found: findVarnish() },
    { package: 'varnish-modules', found: findVarnish() },
    { package: 'chromium', found: findBrowser() },
    ...radosgwPackages.map((name) => ({ package: name, found: findRadosgw() })),
    { package: 'python3-openpyxl', found: findOpenpyxl() },
  ]
  installPackages(needed.filter(({ found }) => found === undefined).map((need) => need.package))
  const folder = mkdtempSync(join(tmpdir(), 'plimsoll-run-'))
  // What the processes of the tests compile, one after another, is mostly the same.
  process.env['NODE_COMPILE_CACHE'] = join(folder, 'compiled')
  preferBaselineWasm(folder)
  const [postgres, memcached, redis, ceph, rabbitmq] = await Promise.all([
    startPostgres(),
    startMemcached({ megabytes: 512 }),
    startRedis(),
    offerRadosgw(),
    offerRabbitmq(),
    makePgliteTemplate(folder),
  ])
  project.provide('pgliteTemplate', folder)
  project.provide('postgresUrl', postgres?.url ?? '')
  project.provide('memcachedUrl', memcached?.url ?? '')
  project.provide('redisUrl', redis?.url ?? '')
  project.provide('radosgwOffer', ceph.url)
  project.provide('rabbitmqOffer', rabbitmq.url)
  const studios = await offerStudio({ folder, postgresUrl: postgres?.url })
  project.provide('studioOffer', studios.url)
  return async () => {
    await studios.stop()
    await Promise.all([ceph.stop(), rabbitmq.stop(), postgres?.stop(), memcached?.stop(), redis?.stop()])
    rmSync(folder, { recursive: true, force: true })
  }
}
