import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test, vi } from 'vitest'
import { z } from 'zod'
import { PlimsollError } from '../../../src/core/errors.ts'
import { observe, type PlimsollEvent } from '../../../src/core/events.ts'
import type { JobProgress } from '../../../src/jobs/contract.ts'
import type { JobDefinition } from '../../../src/jobs/define-job.ts'
import { databaseEngine } from '../../../src/jobs/drivers/database/database-engine.ts'
import { defineJob, openJobs, type Job, type Jobs, type JobWorker } from '../../../src/jobs/index.ts'
import { Sandboxes } from '../../../src/jobs/sandbox/sandboxes.ts'
import { Run } from '../../../src/jobs/worker/run-job.ts'
import { openPostgres, type Postgres } from '../../../src/postgres/index.ts'
import { copyPgliteTemplate } from '../../servers/pglite-template.ts'
import {
  allJobs,
  blocking,
  blockingHere,
  describeRun,
  ending,
  failing,
  greedy,
  hasty,
  haunting,
  jobThatIsHidden,
  named,
  quick,
  silent,
  waiting,
  writing,
} from './sandbox-jobs.ts'

const sandboxModule = new URL('sandbox-jobs.ts', import.meta.url).href
const program = fileURLToPath(new URL('sandbox-process.ts', import.meta.url))
// Every test starts processes, which takes as long as the machine is busy.
vi.setConfig({ testTimeout: 120_000 })

const folder = mkdtempSync(join(tmpdir(), 'plimsoll-sandbox-'))
let files = 0
let postgres: Postgres
let jobs: Jobs

beforeAll(async () => {
  postgres = await openPostgres({ url: 'pglite:memory' })
  jobs = openJobs({ postgres, engine: await databaseEngine({ postgres }), jobs: allJobs })
})
afterAll(async () => {
  await jobs.close()
  await postgres.close()
  rmSync(folder, { recursive: true, force: true })
})

async function work(concurrency = 3): Promise<JobWorker> {
  const worker = await jobs.work({ concurrency })
  onTestFinished(() => worker.close({ timeout: 0 }))
  return worker
}

/** A run without a worker. */
function runOf(job: Job, input: object, parts: Partial<Pick<Run, 'progress' | 'sandboxes'>> = {}): Run {
  const leased = { id: 'an id', name: job.name, version: 1, queue: 'default', tenant: '', attempt: 1, deaths: 0 }
  return new Run({
    job: { ...leased, input: JSON.stringify(input), owner: undefined, trace: undefined, step: undefined, createdAt: 0 },
    definition: job as JobDefinition,
    progress: parts.progress ?? (() => {}),
    sandboxes: parts.sandboxes ?? new Sandboxes({ most: 1 }),
  })
}

/** A file that is not there yet. */
const newFile = (): string => join(folder, String(files++))

/** What a job has written into a file. */
async function written(file: string): Promise<string> {
  await expect.poll(() => existsSync(file) && readFileSync(file, 'utf8'), { timeout: 60_000 }).toBeTruthy()
  return readFileSync(file, 'utf8').trim()
}

/** False for what has ended but was not buried by its parent, too. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return !existsSync('/proc/self/stat') || !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}

function heard<T extends PlimsollEvent['type']>(type: T): Extract<PlimsollEvent, { type: T }>[] {
  const found: Extract<PlimsollEvent, { type: T }>[] = []
  onTestFinished(observe((event) => event.type === type && found.push(event as Extract<PlimsollEvent, { type: T }>)))
  return found
}

describe('a sandboxed job', () => {
  test('runs in another process, with a context that works from there', async () => {
    await work()
    const logs = heard('job.log')
    const handle = await describeRun.enqueue({ text: 'å', at: '2026-11-25' }, { tenant: 'acme' })
    const result = await handle.result()
    expect(result).toMatchObject({ text: 'å', year: 2026, attempt: 1, id: handle.id, tenant: 'acme' })
    expect(result).toMatchObject({ idempotencyKey: handle.id })
    expect(result.pid).not.toBe(process.pid)
    expect(logs).toMatchObject([{ id: handle.id, name: 'describe-run', level: 'info', message: 'it runs' }])
    expect(logs[0]!.details).toEqual({ text: "'å'", how: '[Function: how]' })
  })

  test('shows how far it is', async () => {
    await work()
    const handle = await waiting.enqueue({ file: newFile() })
    await expect.poll(async () => (await handle.status())?.progress).toEqual({ done: 3, total: 7, note: 'it waits' })
    await handle.cancel()
  })

  test('tells of progress that comes fast now and then, and of the last one always', async () => {
    const sandboxes = new Sandboxes({ most: 1 })
    onTestFinished(() => sandboxes.close())
    const told: JobProgress[] = []
    const output = await sandboxes.run(
      runOf(describeRun, { text: '', at: '2026-11-25' }, { progress: (one) => told.push(one) }),
    )
    expect(JSON.parse(output!)).toMatchObject({ year: 2026 })
    expect(told.at(-1)).toEqual({ done: 1000, total: 1000, note: 'step 1000' })
    expect(told.length).toBeLessThan(500)
  })

  test('fails with the error of its handler', async () => {
    await work()
    const handle = await failing.enqueue({ how: 'for good' })
    await expect(handle.result()).rejects.toMatchObject({ code: 'PLIMSOLL_JOB_FAILED' })
    const { attempts, error } = (await handle.status())!
    expect(attempts).toBe(1)
    expect(error).toMatchObject({ name: 'RangeError', message: 'too much', code: 'E_MUCH' })
    expect(error!.stack).toContain('sandbox-jobs.ts')
    const other = await failing.enqueue({ how: 'no error' })
    await expect(other.result()).rejects.toThrow('no error')
    expect(await other.status()).toMatchObject({ attempts: 1, error: { name: 'NonError' } })
  })

  test.each(['later', 'once'])('is tried again when its error allows it: %s', async (how) => {
    await work()
    const handle = await failing.enqueue({ how })
    expect(await handle.result()).toBe('at last')
    expect((await handle.status())!.attempts).toBe(2)
  })

  test('has its input checked there', async () => {
    const sandboxes = new Sandboxes({ most: 1 })
    onTestFinished(() => sandboxes.close())
    const run = sandboxes.run(runOf(describeRun, { text: 1 }))
    await expect(run).rejects.toThrow(PlimsollError)
    await expect(run).rejects.toMatchObject({ code: 'PLIMSOLL_JOB_INPUT_INVALID' })
  })

  test('that its module does not export is refused by name', async () => {
    await work()
    const handle = await jobThatIsHidden.enqueue()
    await expect(handle.result()).rejects.toThrow("does not export it; it exports the jobs: 'blocking', ")
    expect(await handle.status()).toMatchObject({ attempts: 1, error: { code: 'PLIMSOLL_JOB_SANDBOX_INVALID' } })
  })

  test('whose module cannot be imported says why, and is tried again', async () => {
    const module = `file://${folder}/broken.mjs`
    const broken = defineJob(
      'broken',
      { input: z.object({}), sandbox: { module }, retry: { attempts: 2, first: 0 } },
      () => 1,
    )
    const sandboxes = new Sandboxes({ most: 1 })
    onTestFinished(() => sandboxes.close())
    const error = await sandboxes.run(runOf(broken, {})).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'PLIMSOLL_JOB_SANDBOX_INVALID', retryable: true })
    expect(String(error)).toMatch(/broken\.mjs cannot be imported: .*Cannot find module/)
    // What an import has failed of is remembered by its process: another one takes the next run.
    writeFileSync(fileURLToPath(module), 'export {}')
    await expect(sandboxes.run(runOf(broken, {}))).rejects.toThrow('it exports the jobs: none')
  })

  test('may name its module by true, which is the one that defines it', async () => {
    await work()
    expect(await (await named.enqueue({})).result()).not.toBe(process.pid)
  })

  test('may have a module that opens its application, which runs no jobs there', async () => {
    vi.stubEnv('DATABASE_TEMPLATE', join(inject('pgliteTemplate'), 'db'))
    vi.stubEnv('DATABASE_COPIES', folder)
    onTestFinished(() => void vi.unstubAllEnvs())
    const own = await import('./sandbox-app.ts')
    onTestFinished(() => own.close())
    const { pid, workers, duplicate } = await (await own.counting.enqueue({})).result()
    expect(pid).not.toBe(process.pid)
    expect(workers).toBe(0)
    expect(duplicate).toBe(false)
  })

  test('refuses a module and a bound that cannot be', () => {
    const define = (sandbox: { module: string; memory?: '1MB' }) => () =>
      defineJob('refused', { input: z.object({}), sandbox }, () => 1)
    expect(define({ module: 'https://example.com/job.js' })).toThrow('give import.meta.url')
    expect(define({ module: import.meta.url, memory: '1MB' })).toThrow("give at least '32MB'")
  })
})

describe('a sandbox that ends', () => {
  test.each([
    ['exit', 'has ended with exit code 0, as process.exit() does'],
    ['kill', 'was killed (SIGKILL)'],
    ['memory', 'needed more memory than its 64 MB'],
    ['buffers', 'needed more memory than its 64 MB'],
    ['uncaught', 'an error that nobody caught has ended its process: TypeError: nobody caught it'],
    ['rejection', 'an error that nobody caught has ended its process: TypeError: nobody awaited it'],
  ])('fails its run, and nothing else: %s', async (how, message) => {
    const stderr = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
    onTestFinished(() => stderr.mockRestore())
    await work()
    const other = await waiting.enqueue({ file: newFile() })
    const handle = await ending.enqueue({ how })
    await expect(handle.result()).rejects.toThrow(message)
    expect(await handle.status()).toMatchObject({
      state: 'failed',
      attempts: 1,
      deaths: 0,
      error: { code: 'PLIMSOLL_JOB_CRASHED' },
    })
    expect(await (await quick.enqueue({})).result()).toBe('quick')
    expect((await other.status())!.state).toBe('active')
    await other.cancel()
  })

  test('when it had nothing to do costs no attempt', async () => {
    await work()
    const file = newFile()
    await (await writing.enqueue({ file })).result()
    process.kill(Number(await written(file)), 'SIGKILL')
    const handle = await writing.enqueue({ file })
    await handle.result()
    expect((await handle.status())!.attempts).toBe(1)
    expect(new Set((await written(file)).split('\n')).size).toBe(2)
  })

  test('that was cancelled hears of it', async () => {
    await work()
    const file = newFile()
    const handle = await waiting.enqueue({ file })
    const pid = Number(await written(file))
    await handle.cancel()
    await expect.poll(() => readFileSync(file, 'utf8')).toContain('was cancelled')
    await expect.poll(async () => (await handle.status())!.state).toBe('cancelled')
    expect(isAlive(pid), 'it is kept for the next run').toBe(true)
  })

  test('by a time-out that it does not heed is killed', async () => {
    await work()
    const file = newFile()
    // The same process as the next job gets, which need not be started within its time-out then.
    await (await writing.enqueue({ file })).result()
    const pid = Number(await written(file))
    const handle = await hasty.enqueue({})
    await expect(handle.result()).rejects.toThrow('did not end within 2000 ms')
    expect((await handle.status())!.error!.code).toBe('PLIMSOLL_JOB_TIMEOUT')
    await expect.poll(() => isAlive(pid)).toBe(false)
  })
})

describe('the processes of sandboxes', () => {
  test('are kept for the next run', async () => {
    await work()
    const file = newFile()
    for (let i = 0; i < 5; i++) await (await writing.enqueue({ file })).result()
    expect(new Set((await written(file)).split('\n')).size).toBe(1)
  })

  test('are not kept with a heap that is half full', async () => {
    await work()
    const first = await (await greedy.enqueue({})).result()
    const handle = await greedy.enqueue({})
    expect(await handle.result()).not.toBe(first)
    // In the first process it would have run out of memory.
    expect((await handle.status())!.attempts).toBe(1)
  })

  test('are no more than the worker runs jobs at a time', async () => {
    const sandboxes = new Sandboxes({ most: 2 })
    onTestFinished(() => sandboxes.close())
    const file = newFile()
    const bounds = ['64MB', '65MB', '66MB'] as const
    const jobsOfBounds = bounds.map((memory) =>
      defineJob('writing', { input: z.object({}), sandbox: { module: sandboxModule, memory } }, () => undefined),
    )
    for (const job of jobsOfBounds) {
      await sandboxes.run(runOf(job, { file }))
      expect(sandboxes.size).toBeLessThanOrEqual(2)
    }
    expect(new Set((await written(file)).split('\n')).size).toBe(3)
  })

  test('end with their worker, and what they ran is handed back', async () => {
    const worker = await jobs.work({ concurrency: 2 })
    const [idle, busy] = [newFile(), newFile()]
    await (await writing.enqueue({ file: idle })).result()
    const handle = await blocking.enqueue({ file: busy, ms: 600_000 })
    const pids = [Number(await written(idle)), Number(await written(busy))]
    await worker.close({ timeout: 0 })
    expect(pids.map(isAlive)).toEqual([false, false])
    expect(await handle.status()).toMatchObject({ state: 'waiting', attempts: 0 })
    await handle.cancel()
  })

  test('end when their worker is killed, whatever they do', async () => {
    copyPgliteTemplate(join(folder, 'db'))
    const worker = spawn(process.execPath, [program, 'worker', folder, `pglite:${folder}/db`], { stdio: 'ignore' })
    onTestFinished(() => void worker.kill('SIGKILL'))
    const names = ['idle', 'waiting', 'blocking'].map((name) => join(folder, name))
    const pids = await Promise.all(names.map(async (file) => Number(await written(file))))
    expect(pids.map(isAlive)).toEqual([true, true, true])
    worker.kill('SIGKILL')
    await once(worker, 'exit')
    await expect.poll(() => pids.map(isAlive)).toEqual([false, false, false])
  })

  test('keep no process alive', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [program, 'idle', newFile()])
    expect(stdout).toBe('processes: 1\n')
  })
})

describe('the event loop of a worker', () => {
  test('is not disturbed by what a sandbox does', async () => {
    await work()
    const blocked = heard('job.blocked')
    const file = newFile()
    const handle = await blocking.enqueue({ file, ms: 2500 })
    await written(file)
    for (let i = 0; i < 5; i++) expect(await (await quick.enqueue({})).result()).toBe('quick')
    expect((await handle.status())!.state).toBe('active')
    expect(await handle.result()).toBe('done')
    expect(blocked.filter(({ ids }) => ids.includes(handle.id))).toEqual([])
  })

  test('that is blocked is told of, with the jobs that ran there', async () => {
    const worker = await work()
    const blocked = heard('job.blocked')
    const warnings: string[] = []
    const onWarning = ({ message }: Error): void => void warnings.push(message)
    process.on('warning', onWarning)
    onTestFinished(() => void process.off('warning', onWarning))
    const sandboxed = await waiting.enqueue({ file: newFile() })
    await expect.poll(async () => (await sandboxed.status())!.state).toBe('active')
    const handle = await blockingHere.enqueue({ ms: 2500 })
    await handle.result()
    await expect.poll(() => blocked.length).toBeGreaterThan(0)
    expect(blocked[0]!.ids).toEqual([handle.id])
    expect(blocked[0]!.blockedMs).toBeGreaterThan(1000)
    await expect.poll(() => warnings.join('\n')).toMatch(/blocked for .* 'blocking-here'.* sandbox/)
    await sandboxed.cancel()
    await worker.close()
  })
})

test('what a run has left behind does not speak for the next one in its process', async () => {
  const sandboxes = new Sandboxes({ most: 1 })
  onTestFinished(() => sandboxes.close())
  const logged: string[] = []
  onTestFinished(observe((event) => void (event.type === 'job.log' && logged.push(event.name))))
  const said: JobProgress[] = []
  const first = await sandboxes.run(runOf(haunting, {}, { sandboxes }))
  const second = await sandboxes.run(runOf(silent, {}, { progress: (progress) => said.push(progress), sandboxes }))
  expect(second, 'the same process').toBe(first)
  expect(said).toEqual([])
  expect(logged).not.toContain('silent')
})
