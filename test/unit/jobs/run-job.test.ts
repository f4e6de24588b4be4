import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import type { LeasedJob } from '../../../src/jobs/contract.ts'
import type { JobDefinition } from '../../../src/jobs/define-job.ts'
import { defineJob } from '../../../src/jobs/index.ts'
import { Deadlines } from '../../../src/jobs/worker/deadlines.ts'
import { Run, runJob } from '../../../src/jobs/worker/run-job.ts'

function start(handler: (signal: AbortSignal) => unknown, timeout: number | '10m' = '10m'): Run {
  return startOf(
    defineJob('job', { input: z.any(), timeout, retry: false }, (_, { signal }) => handler(signal)) as JobDefinition,
  )
}

function startOf(definition: JobDefinition): Run {
  const job: LeasedJob = {
    id: 'id',
    name: 'job',
    version: 1,
    queue: 'q',
    tenant: '',
    input: '1',
    attempt: 1,
    deaths: 0,
    owner: undefined,
    trace: undefined,
    step: undefined,
    createdAt: 0,
  }
  return new Run({
    job,
    definition,
    progress: () => {},
    // A job without a sandbox needs none.
    sandboxes: undefined as never,
  })
}

const never = (): Promise<never> => new Promise(() => {})

describe('a run that is ended', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  test('is left behind 5 s after its time is over, when its handler ignores its signal', async () => {
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    const signals: AbortSignal[] = []
    const outcome = vi.fn<(outcome: unknown) => void>()
    const run = start((signal) => {
      signals.push(signal)
      return never()
    }, 1000)
    new Deadlines(() => [run]).began(run)
    void runJob(run).then(outcome)
    await vi.advanceTimersByTimeAsync(999)
    expect(signals[0]!.aborted).toBe(false)
    await vi.advanceTimersByTimeAsync(1)
    expect(signals[0]!.aborted).toBe(true)
    await vi.advanceTimersByTimeAsync(4999)
    expect(outcome).not.toHaveBeenCalled()
    await vi.advanceTimersByTimeAsync(1)
    expect(outcome).toHaveBeenCalledWith(
      expect.objectContaining({ state: 'failed', error: expect.objectContaining({ code: 'PLIMSOLL_JOB_TIMEOUT' }) }),
    )
    expect(warned).toHaveBeenCalledWith(expect.stringContaining('let its handler heed signal'), 'PlimsollWarning')
    warned.mockRestore()
  })

  test.for([
    ['cancelled', 'cancelled'],
    ['released', 'released'],
    ['lost', 'released'],
    ['timeout', 'failed'],
  ] as const)('because it is %s, comes to %s, whatever its handler makes of it', async ([why, state]) => {
    const run = start((signal) => {
      const { promise, reject } = Promise.withResolvers()
      signal.addEventListener('abort', () => reject(new Error('of its own')))
      return promise
    })
    const outcome = runJob(run)
    await vi.advanceTimersByTimeAsync(0)
    run.end(why)
    expect(await outcome).toMatchObject({ state })
  })

  test.for([
    ['upgrade', { version: 2, upgrade: never }],
    ['input schema', { input: z.any().refine(never) }],
    ['output schema', { output: z.any().refine(never) }],
  ] as const)('is left behind as well when its %s never settles', async ([, options]) => {
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    const outcome = vi.fn<(outcome: unknown) => void>()
    const all = { input: z.any(), timeout: 1000, retry: false, ...options } as const
    const run = startOf(defineJob('job', all, () => 'made') as JobDefinition)
    new Deadlines(() => [run]).began(run)
    void runJob(run).then(outcome)
    await vi.advanceTimersByTimeAsync(5999)
    expect(outcome).not.toHaveBeenCalled()
    await vi.advanceTimersByTimeAsync(1)
    expect(outcome).toHaveBeenCalledWith(
      expect.objectContaining({ state: 'failed', error: expect.objectContaining({ code: 'PLIMSOLL_JOB_TIMEOUT' }) }),
    )
    expect(warned).toHaveBeenCalledWith(expect.stringContaining('its upgrade and schemas'), 'PlimsollWarning')
    warned.mockRestore()
  })

  test('while its input is read does not begin, however late that is', async () => {
    const handler = vi.fn<() => void>()
    const upgrade = Promise.withResolvers<number>()
    const options = { input: z.any(), version: 2, upgrade: () => upgrade.promise } as const
    const run = startOf(defineJob('job', options, handler) as JobDefinition)
    const outcome = runJob(run)
    run.end('cancelled')
    upgrade.resolve(1)
    expect(await outcome).toMatchObject({ state: 'cancelled' })
    expect(handler).not.toHaveBeenCalled()
  })

  test('and has done its work all the same is done', async () => {
    const run = start((signal) => new Promise((resolve) => signal.addEventListener('abort', () => resolve('saved'))))
    const outcome = runJob(run)
    await vi.advanceTimersByTimeAsync(0)
    run.end('released')
    expect(await outcome).toMatchObject({ state: 'done', output: '"saved"' })
  })

  test('before it has begun does not begin', async () => {
    const handler = vi.fn<() => void>()
    const run = start(handler)
    run.end('cancelled')
    expect(await runJob(run)).toMatchObject({ state: 'cancelled' })
    expect(handler).not.toHaveBeenCalled()
  })
})

test('a run whose handler ignores its signal does not keep the process alive when its worker has closed', () => {
  const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
  const run = start(never)
  void run.within(never())
  const before = timers()
  run.end('released')
  expect(run.signal.aborted).toBe(true)
  expect(timers()).toBe(before)
  run.over()
})
