// The process of a sandbox: it imports the module of a job, and runs one job of it at a time for the worker that has started it.
import { writeFileSync } from 'node:fs'
import { inspect } from 'node:util'
import { Worker } from 'node:worker_threads'
import { PlimsollError, listNames } from '../../core/errors.ts'
import type { JobProgress, LeasedJob } from '../contract.ts'
import { isJob, type JobDefinition } from '../define-job.ts'
import { jobContext, type JobLogLine } from '../worker/job-context.ts'
import { readInput, writeOutput } from '../worker/job-values.ts'
import { enterSandbox } from './in-sandbox.ts'
import { heldTooMuch, type SandboxNews, type SandboxOrder } from './sandbox-messages.ts'
import { fromWireError, toWireError } from './wire-error.ts'

/** Of the progress in between, the last one is told. */
const progressMs = 100

/** How often it is looked at what this process holds, and whether its worker is there. */
const watchMs = 20
const parentMs = 1000
/** What V8 may hold beside the objects that its bound is about: those that are young, and code. */
const ownBytes = 64 * 1024 ** 2

let controller = new AbortController()

function tell(news: SandboxNews, told?: () => void): void {
  // A channel that is closed ends this process anyway.
  if (process.connected) process.send!(news, undefined, undefined, () => told?.())
}

/** Holds progress back that comes too fast. */
function progressTeller(): { readonly tell: (progress: JobProgress) => void; readonly flush: () => void } {
  let toldAt = Number.NEGATIVE_INFINITY
  let held: JobProgress | undefined
  let timer: NodeJS.Timeout | undefined
  const flush = (): void => {
    clearTimeout(timer)
    timer = undefined
    if (held === undefined) return
    tell({ type: 'progress', progress: held })
    held = undefined
    toldAt = performance.now()
  }
  return {
    flush,
    tell(progress) {
      held = progress
      const inMs = toldAt + progressMs - performance.now()
      if (inMs <= 0) flush()
      else timer ??= setTimeout(flush, inMs)
    },
  }
}

function tellLog(line: JobLogLine): void {
  try {
    tell({ type: 'log', line })
  } catch {
    // What cannot be sent, such as a function, is spelled.
    const details = Object.fromEntries(Object.entries(line.details).map(([key, value]) => [key, inspect(value)]))
    tell({ type: 'log', line: { ...line, details } })
  }
}

async function findJob({ name }: LeasedJob, module: string): Promise<JobDefinition> {
  const refuse = (problem: string, parts: { readonly cause?: unknown; readonly retryable: boolean }): Error =>
    Object.assign(
      new PlimsollError('PLIMSOLL_JOB_SANDBOX_INVALID', `The job '${name}' cannot run in a sandbox: ${problem}.`, {
        cause: parts.cause,
        details: { name, module },
      }),
      { retryable: parts.retryable },
    )
  let exported: readonly unknown[]
  try {
    exported = Object.values((await import(module)) as object)
  } catch (cause) {
    const problem = `its module ${module} cannot be imported: ${String(cause)}`
    throw refuse(problem, { cause, retryable: true })
  }
  const jobs = exported.filter(isJob)
  const job = jobs.find((one) => one.name === name)
  if (job !== undefined) return job
  const found = listNames(jobs.map((one) => one.name))
  throw refuse(`its module ${module} does not export it; it exports the jobs: ${found}`, { retryable: false })
}

async function run({ job, module }: Extract<SandboxOrder, { type: 'run' }>): Promise<void> {
  controller = new AbortController()
  const { signal } = controller
  tell({ type: 'began' })
  const progress = progressTeller()
  let found = false
  // What a handler leaves behind goes on beside the next run, of which it must not seem to speak.
  let over = false
  try {
    const definition = await findJob(job, module)
    found = true
    beside.boundMemory()
    const context = jobContext(job, {
      signal,
      progress: (value) => void (over || progress.tell(value)),
      log: (line) => void (over || tellLog(line)),
    })
    const input = await readInput(job, definition)
    signal.throwIfAborted()
    const output = await writeOutput(await definition.handler(input, context), definition)
    over = true
    progress.flush()
    tell({ type: 'done', output, heldBytes: heldBytes() })
  } catch (error) {
    over = true
    progress.flush()
    tell({ type: 'failed', error: toWireError(error), heldBytes: heldBytes(), spent: !found })
  }
}

function crash(error: unknown): void {
  if (!process.connected) process.exit(1)
  tell({ type: 'crash', error: toWireError(error) }, () => process.exit(1))
}

function heldBytes(): number {
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/**
 * Ends this process when its worker is gone, or when it holds more than it may, even while a job blocks the loop. What it holds is bound from
 * the first call of `boundMemory` on: what its module has imported by then does not count.
 */
function watchBeside(memoryBytes: number): { readonly boundMemory: () => void } {
  const code = `
    const { writeSync } = require('node:fs')
    const end = () => process.kill(process.pid, 'SIGKILL')
    setInterval(() => process.ppid === ${process.ppid} || end(), ${parentMs})
    require('node:worker_threads').parentPort.on('message', (mostBytes) => setInterval(() => {
      if (process.memoryUsage.rss() <= mostBytes) return
      try { writeSync(2, ${JSON.stringify(`${heldTooMuch}
`)}) } catch {}
      end()
    }, ${watchMs}))`
  const thread = new Worker(code, { eval: true, execArgv: [], env: {} })
  thread.unref()
  let bound = false
  return {
    boundMemory() {
      if (!bound) thread.postMessage(process.memoryUsage.rss() + memoryBytes + ownBytes, [])
      bound = true
    },
  }
}

// Where memory runs out, Linux ends this process before others.
try {
  writeFileSync('/proc/self/oom_score_adj', '1000')
} catch {
  // Elsewhere there is no such thing.
}
enterSandbox()
const beside = watchBeside(Number(process.argv[3]))
process.on('message', (order: SandboxOrder) => {
  if (order.type === 'run') void run(order)
  else controller.abort(fromWireError(order.reason))
})
process.on('disconnect', () => process.exit())
process.on('uncaughtException', crash)
// A terminal and a supervisor send these to all processes at once; it is for the worker to say what becomes of the job.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})
