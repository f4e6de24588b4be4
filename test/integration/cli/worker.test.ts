import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, inject, onTestFinished, test, vi } from 'vitest'
import { z } from 'zod'
import { ensureUploadTables } from '../../../src/files/uploads/upload-table.ts'
import { databaseEngine } from '../../../src/jobs/drivers/database/database-engine.ts'
import { defineJob, openJobs, type Jobs } from '../../../src/jobs/index.ts'
import { openPostgres, type Postgres } from '../../../src/postgres/index.ts'
import { valueOf } from '../../drivers/door.ts'
import { createDatabase } from '../../servers/database.ts'
import { parseExposition } from '../../unit/app/parse-exposition.ts'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const main = join(root, 'src/cli/main.ts')

const appModule = `
import { defineRelations } from 'drizzle-orm'
import { integer, pgTable } from 'drizzle-orm/pg-core'
import { z } from 'zod'
import { createApp, defineJob } from '${root}src/app/index.ts'
const any = { input: z.any() }
const greet = defineJob('greet', { ...any, queue: 'mail' }, ({ name }, { log }) => {
  log.info('It greets.', { name })
  return 'Hello ' + name
})
const render = defineJob('render', { ...any, queue: 'video' }, () => 'rendered')
const held = defineJob('held', { ...any, queue: 'mail' }, async (ms, { signal }) => {
  process.stdout.write('begun\\n')
  await new Promise((resolve) => setTimeout(resolve, ms))
  return signal.aborted
})
const heeds = defineJob('heeds', { ...any, queue: 'mail' }, (_, { signal }) => {
  process.stdout.write('begun\\n')
  return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
})
export const app = await createApp({
  relations: defineRelations({ notes: pgTable('notes', { id: integer().primaryKey() }) }, () => ({})),
  jobs: [greet, render, held, heeds],
  work: process.env['WORK'] === 'true',
  secret: 'a secret for tests',
  closeTimeout: process.env['CLOSE_TIMEOUT'],
  storageUrl: 'file:files',
})
if (process.env['UPLOADS'] === 'true')
  app.uploads('/uploads', { accept: ['*/*'], maxBytes: '1MB', onStored: () => undefined })
`

const input = z.any()
const unrun = () => expect.fail('It runs in the wrong process.')
const [greet, render, held, heeds] = [
  defineJob('greet', { input, queue: 'mail' }, unrun),
  defineJob('render', { input, queue: 'video' }, unrun),
  defineJob('held', { input, queue: 'mail' }, unrun),
  defineJob('heeds', { input, queue: 'mail' }, unrun),
]

interface Worker {
  readonly child: ChildProcess
  readonly out: () => string
  readonly errors: () => string
  said(text: string | RegExp): Promise<void>
  /** Sends a signal, and resolves to the exit code. */
  end(signal: NodeJS.Signals): Promise<number | null>
}

interface Place {
  readonly jobs: Jobs
  readonly postgres: Postgres
  worker(args: readonly string[], env?: Readonly<Record<string, string>>): Worker
}

/** An application beside a database, and jobs that its workers are given. */
async function openPlace(): Promise<Place> {
  mkdirSync(join(root, '.plimsoll'), { recursive: true })
  const folder = mkdtempSync(join(root, '.plimsoll/cli-'))
  writeFileSync(join(folder, 'app.ts'), appModule)
  const database = await createDatabase()
  const postgres = await openPostgres({ url: database.url })
  const jobs = openJobs({
    postgres,
    engine: await databaseEngine({ postgres }),
    jobs: [greet, render, held, heeds],
  })
  onTestFinished(async () => {
    await jobs.close()
    await postgres.close()
    await database.drop()
    rmSync(folder, { recursive: true, force: true })
  })
  return {
    jobs,
    postgres,
    worker(args, env = {}) {
      const child = spawn(process.execPath, [main, 'worker', ...args], {
        cwd: folder,
        env: { ...process.env, DATABASE_URL: database.url, NO_COLOR: '1', HOST: '', ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      const exit = once(child, 'exit')
      onTestFinished(async () => {
        child.kill('SIGKILL')
        await exit
      })
      let [out, errors] = ['', '']
      child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()))
      child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()))
      return {
        child,
        out: () => out,
        errors: () => errors,
        async said(text) {
          await vi.waitUntil(() => out.search(text) >= 0 || child.exitCode !== null, { timeout: 60_000 })
          expect(out, errors).toMatch(text)
        },
        async end(signal) {
          child.kill(signal)
          return (await exit)[0] as number | null
        },
      }
    },
  }
}

async function samplesAt(url: string): Promise<(name: string, labels: Record<string, string>) => number | undefined> {
  const answer = await fetch(url)
  expect(answer.status).toBe(200)
  expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
  const samples = [...parseExposition(await answer.text()).values()].flatMap((family) => family.samples)
  return (name, labels) =>
    samples.find(
      (one) => one.name === name && Object.entries(labels).every(([label, value]) => one.labels[label] === value),
    )?.value
}

describe.runIf(inject('postgresUrl'))('plimsoll worker', () => {
  test('runs the jobs of its queues and no others, also of an application that works itself, and ends at SIGTERM', async () => {
    const { jobs, worker } = await openPlace()
    const first = worker(['--queues', 'mail', '--concurrency', '2'], { WORK: 'true' })
    await first.said('Running jobs of mail.')
    const rendering = await render.enqueue({})
    expect(await (await greet.enqueue({ name: 'Ada' })).result()).toBe('Hello Ada')
    expect((await rendering.status())!.state).toBe('waiting')
    const second = worker(['--queues', 'video:1'])
    expect(await rendering.result()).toBe('rendered')
    expect(await Promise.all([first.end('SIGTERM'), second.end('SIGINT')])).toEqual([0, 0])
    expect(first.errors()).toMatch(/^INFO \[greet [\da-f-]{36}\] It greets\. \{ name: 'Ada' \}$/m)
    expect(await jobs.counts()).toEqual([
      { queue: 'mail', state: 'done', count: 1 },
      { queue: 'video', state: 'done', count: 1 },
    ])
  })

  test('lets what it runs end at SIGTERM, and hands back what does not, at once', async () => {
    const { worker } = await openPlace()
    const patient = worker([])
    const ends = await held.enqueue(1000)
    await patient.said('begun')
    expect(await patient.end('SIGTERM')).toBe(0)
    expect(await ends.status()).toMatchObject({ state: 'done', output: false, attempts: 1 })
    const hasty = worker([], { CLOSE_TIMEOUT: '1ms' })
    const back = await heeds.enqueue(1)
    await hasty.said('begun')
    expect(await hasty.end('SIGTERM')).toBe(0)
    expect(await back.status()).toMatchObject({ state: 'waiting', attempts: 0, deaths: 0 })
  })

  test('serves its metrics at a port of its own, until it has ended', async () => {
    const { worker } = await openPlace()
    const { out, said, end } = worker(['--metrics-port', '0', '--metrics-host', '127.0.0.1', '--queues', 'mail'])
    await said('Running jobs')
    const url = /^Metrics: (http:\/\/127\.0\.0\.1:\d+\/metrics)$/m.exec(out())![1]!
    await (await greet.enqueue({ name: 'Ada' })).result()
    const waiting = await render.enqueue({})
    const mail = { queue: 'mail', name: 'greet' }
    await expect
      .poll(async () => (await samplesAt(url))('plimsoll_jobs_ended_total', { ...mail, outcome: 'done' }))
      .toBe(1)
    const shown = await samplesAt(url)
    expect(shown('plimsoll_jobs_started_total', mail)).toBe(1)
    expect(shown('plimsoll_job_run_duration_seconds_count', mail)).toBe(1)
    expect(shown('plimsoll_connections', { purpose: 'shared' }), 'those of the time before').toBeGreaterThan(0)
    await expect.poll(async () => (await samplesAt(url))('plimsoll_jobs', { queue: 'video', state: 'waiting' })).toBe(1)
    expect((await fetch(new URL('/', url))).status).toBe(404)
    // The connections of these requests are kept, and keep nobody.
    expect(await end('SIGTERM')).toBe(0)
    await expect(fetch(url)).rejects.toThrow('fetch failed')
    expect((await waiting.status())!.state).toBe('waiting')
  })

  test('removes uploads that were given up, of an application that takes some', async () => {
    const { postgres, worker } = await openPlace()
    await ensureUploadTables(postgres)
    await valueOf(
      postgres,
      `insert into plimsoll.uploads (id, route, name, type, size, kind, part_bytes, expires_at)
      values ('AAAAAAAAAAAAAAAA', '/uploads', 'a.txt', 'text/plain', 1, 'single', 1, now() - interval '1 second') returning id`,
    )
    const { end, said } = worker([], { UPLOADS: 'true' })
    await said('Running jobs of all queues.')
    await expect.poll(() => valueOf(postgres, 'select count(*) from plimsoll.uploads'), { timeout: 20_000 }).toBe('0')
    expect(await end('SIGTERM')).toBe(0)
  })

  test('says what is wrong with its options, and ends', async () => {
    const { worker } = await openPlace()
    const taken = createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    onTestFinished(() => void taken.close())
    const { port } = taken.address() as { port: number }
    const cases: readonly (readonly [readonly string[], string])[] = [
      [['--metrics-port', 'http'], "'http' is no number from 0 to 65535; correct --metrics-port."],
      [['--metrics-host', '::1'], 'without --metrics-port it says nothing; correct --metrics-host.'],
      [['--metrics-port', String(port), '--metrics-host', '127.0.0.1'], `port ${port} of '127.0.0.1' (EADDRINUSE)`],
      [['--concurrency', 'many'], "'many' is no number from 1; correct --concurrency."],
      [['--queues', 'mail:2:3'], "'mail:2:3' names no queue; correct --queues."],
      [['--app', 'nowhere.ts'], "There is no file 'nowhere.ts'; correct --app."],
      [['--quues', 'mail'], '--queues'],
    ]
    for (const [args, message] of cases) {
      const { child, errors } = worker(args)
      expect((await once(child, 'exit'))[0]).toBe(1)
      expect(errors()).toContain(message)
    }
  })
})
