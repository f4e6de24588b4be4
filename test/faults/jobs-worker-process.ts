import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, vi } from 'vitest'
import { z } from 'zod'
import { defineJob, type Job } from '../../src/jobs/index.ts'
import type { WorkerNews, WorkerOrder } from './jobs-worker-talk.ts'

/** How long what happens in other processes is waited for. */
export const waits = { timeout: 60_000, interval: 10 }

/** How many workers the tests kill that kill many; WORKER_DEATHS=100 takes minutes. */
export const mostDeaths = Number(process.env['WORKER_DEATHS'] ?? 8)
/** How many jobs there are for them: enough to be killed over. */
export const jobsToKillOver = Math.max(1500, 100 * mostDeaths)
/** How long such a test may take. */
export const killingLimits = { timeout: 120_000 + 10_000 * mostDeaths }

/** A worker process of the tests' own; it is killed when the test has ended. */
export interface WorkerProcess {
  readonly child: ChildProcess
  readonly pid: number
  readonly news: readonly WorkerNews[]
  readonly stderr: () => string
  order(order: WorkerOrder): void
  /** Resolves when it has ended. */
  readonly gone: Promise<void>
  /** Kills it, and resolves when it is gone. */
  kill(): Promise<void>
}

interface WorkerProcessOptions {
  readonly concurrency?: number
  /** How far its clock is off. */
  readonly skewMs?: number
  /** The Redis or RabbitMQ of its jobs. Default: they are on the database alone. */
  readonly queueUrl?: string
  /** How long its lease lasts. Default: shortly. */
  readonly lease?: string
}

/** Starts one, and resolves when it takes jobs. */
export async function startWorker(
  url: string,
  { concurrency = 10, skewMs = 0, queueUrl, lease }: WorkerProcessOptions = {},
): Promise<WorkerProcess> {
  const child = fork(fileURLToPath(new URL('./jobs-worker.ts', import.meta.url)), {
    execArgv: [],
    env: {
      ...process.env,
      DATABASE_URL: url,
      ...(queueUrl !== undefined && { QUEUE_URL: queueUrl }),
      ...(lease !== undefined && { LEASE: lease }),
      CONCURRENCY: String(concurrency),
      SKEW_MS: String(skewMs),
    },
    stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
  })
  const news: WorkerNews[] = []
  const works = Promise.withResolvers<void>()
  let errors = ''
  child.stderr!.on('data', (chunk: Buffer) => (errors += chunk.toString()))
  child.on('message', (one: WorkerNews) => {
    news.push(one)
    if (one.type === 'works') works.resolve()
  })
  child.once('exit', (code) => works.reject(new Error(`The worker has ended with ${code}: ${errors}`)))
  const gone = once(child, 'exit').then(() => {})
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL')
    await gone
  }
  onTestFinished(kill)
  await works.promise
  return { child, pid: child.pid!, news, gone, stderr: () => errors, order: (order) => child.send(order), kill }
}

/** Resolves when so many jobs have begun there that tell of it. */
export function began({ news }: WorkerProcess, count = 1): Promise<void> {
  return vi.waitFor(() => expect(news.filter(({ type }) => type === 'began')).toHaveLength(count), waits)
}

/** A job of the worker processes, as one who only enqueues it knows it. */
export function elsewhere(name: string): Job {
  return defineJob(name, { input: z.any() }, () => expect.fail('It runs in the wrong process.')) as Job
}

/** The inputs of jobs that take a while. */
export function many(count: number, ms = 20): { readonly ms: number }[] {
  return Array.from({ length: count }, () => ({ ms }))
}
