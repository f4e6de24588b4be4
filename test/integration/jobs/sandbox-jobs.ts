import { appendFileSync, writeFileSync } from 'node:fs'
import { flushCompileCache } from 'node:module'
import { defineJob } from '../../../src/jobs/define-job.ts'
import type { Schema } from '../../../src/jobs/standard-schema.ts'
import { anything } from '../../drivers/anything.ts'

/** The jobs of the tests of sandboxes: the processes import this module, which imports little. */
const sandbox = { module: import.meta.url, memory: '64MB' } as const
const once = { attempts: 1 }
const nothing = anything<object>()

/** Makes a date of a text. */
const textAndDate: Schema<{ text: string; at: string }, { text: string; at: Date }> = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: (value) => {
      const { text, at } = value as { text?: unknown; at: string }
      return typeof text === 'string'
        ? { value: { text, at: new Date(at) } }
        : { issues: [{ message: 'it is no text', path: ['text'] }] }
    },
  },
}

/** Keeps the event loop to itself. */
function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

export const describeRun = defineJob(
  'describe-run',
  {
    input: textAndDate,
    sandbox,
  },
  async ({ text, at }, { attempt, id, idempotencyKey, tenant, heartbeat, progress, log }) => {
    log.info('it runs', { text, how: () => 'a function cannot be sent' })
    for (let i = 1; i <= 1000; i++) progress(i, 1000, `step ${i}`)
    await heartbeat()
    return { pid: process.pid, text, year: at.getUTCFullYear(), attempt, id, idempotencyKey, tenant }
  },
)

export const failing = defineJob(
  'failing',
  { input: anything<{ how: string }>(), sandbox, retry: { attempts: 2, first: 0 } },
  ({ how }, { attempt }) => {
    if (attempt === 2) return 'at last'
    switch (how) {
      case 'for good':
        throw Object.assign(new RangeError('too much'), { code: 'E_MUCH', retryable: false })
      case 'later':
        throw Object.assign(new Error('come back'), { retryAfter: 1 })
      case 'no error':
        throw { reason: 'no error', retryable: false }
      default:
        throw new Error('once')
    }
  },
)

export const ending = defineJob(
  'ending',
  { input: anything<{ how: string }>(), sandbox, retry: once },
  async ({ how }) => {
    const kept: unknown[] = []
    switch (how) {
      case 'exit':
        process.exit(0)
      case 'kill':
        process.kill(process.pid, 'SIGKILL')
        break
      case 'memory':
        for (;;) kept.push(Array.from({ length: 10_000 }, (_, i) => ({ i })))
      case 'buffers':
        // No more than the machine has, if nobody looks.
        for (let i = 0; i < 200; i++) {
          kept.push(Buffer.alloc(2 * 1024 ** 2, 1))
          block(10)
        }
        return kept.length
      case 'uncaught':
        setTimeout(() => {
          throw new TypeError('nobody caught it')
        })
        break
      case 'rejection':
        void Promise.reject(new TypeError('nobody awaited it'))
    }
    await new Promise((resolve) => setTimeout(resolve, 60_000))
  },
)

export const waiting = defineJob(
  'waiting',
  { input: anything<{ file: string }>(), sandbox, retry: once },
  async ({ file }, { signal, progress }) => {
    progress(3, 7, 'it waits')
    await new Promise<void>((_resolve, reject) => {
      signal.addEventListener('abort', () => {
        writeFileSync(file, (signal.reason as Error).message)
        reject(signal.reason as Error)
      })
      writeFileSync(file, String(process.pid))
    })
  },
)

export const blocking = defineJob(
  'blocking',
  { input: anything<{ file: string; ms: number }>(), sandbox, retry: once, timeout: '1m' },
  ({ file, ms }) => {
    writeFileSync(file, String(process.pid))
    block(ms)
    return 'done'
  },
)

export const hasty = defineJob('hasty', { input: nothing, sandbox, retry: once, timeout: 2000 }, () => block(60_000))

export const greedy = defineJob('greedy', { input: nothing, sandbox }, () => {
  const kept = Array.from({ length: 400_000 }, (_, i) => ({ i, text: `number ${i}` }))
  ;(globalThis as { kept?: unknown }).kept = kept
  return process.pid
})

export const named = defineJob('named-by-true', { input: nothing, sandbox: true }, () => process.pid)

export const writing = defineJob('writing', { input: anything<{ file: string }>(), sandbox }, ({ file }) => {
  appendFileSync(file, `${process.pid}\n`)
})

/** Leaves something behind that goes on to tell of it. */
export const haunting = defineJob('haunting', { input: nothing, sandbox }, (_, { progress, log }) => {
  setInterval(() => {
    progress(99, 99, 'of the one before')
    log.info('of the one before')
  }, 1)
  return process.pid
})

/** Takes its time, and says nothing. */
export const silent = defineJob('silent', { input: nothing, sandbox }, async () => {
  await new Promise((resolve) => setTimeout(resolve, 300))
  return process.pid
})

/** In the worker's own loop. */
export const blockingHere = defineJob('blocking-here', { input: anything<{ ms: number }>() }, ({ ms }) => block(ms))

export const quick = defineJob('quick', { input: nothing }, () => 'quick')

// Not exported: a sandbox cannot find it.
const hidden = defineJob('hidden', { input: nothing, sandbox, retry: { attempts: 3 } }, () => 'found')

/** All of them, for a worker. */
export const allJobs = [
  describeRun,
  failing,
  ending,
  waiting,
  blocking,
  hasty,
  greedy,
  named,
  writing,
  blockingHere,
  quick,
  hidden,
]
/** The job that is not exported by itself. */
export const jobThatIsHidden = { enqueue: () => hidden.enqueue({}) }

// What this process has compiled is there for the next one: it is killed, and would not come to keep it.
flushCompileCache()
