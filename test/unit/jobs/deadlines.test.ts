import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { z } from 'zod'
import type { JobDefinition } from '../../../src/jobs/define-job.ts'
import { defineJob } from '../../../src/jobs/index.ts'
import { Deadlines } from '../../../src/jobs/worker/deadlines.ts'
import { Run } from '../../../src/jobs/worker/run-job.ts'

const running = new Set<Run>()
const deadlines = new Deadlines(() => running)

beforeEach(() => {
  vi.useFakeTimers()
  running.clear()
})
afterEach(() => void vi.useRealTimers())

function begin(timeout: number): Run {
  const definition = defineJob('job', { input: z.any(), timeout }, () => {}) as JobDefinition
  const run = new Run({ job: { id: 'id' } as never, definition, progress: () => {}, sandboxes: undefined as never })
  running.add(run)
  deadlines.began(run)
  return run
}

function end(run: Run): void {
  running.delete(run)
  run.over()
}

test.for([10, 99, 100, 1000])('a run of %i ms at most is ended then, and not before', (timeout) => {
  vi.advanceTimersByTime(7)
  const run = begin(timeout)
  vi.advanceTimersByTime(timeout - 1)
  expect(run.signal.aborted).toBe(false)
  vi.advanceTimersByTime(1)
  expect(run.signal.reason).toMatchObject({ code: 'PLIMSOLL_JOB_TIMEOUT' })
})

test('each of many that begin one after the other is ended in its own time', () => {
  const runs = Array.from({ length: 10 }, () => {
    const run = begin(500)
    vi.advanceTimersByTime(20)
    return run
  })
  vi.advanceTimersByTime(300)
  for (const run of runs) {
    expect(run.signal.aborted).toBe(true)
    expect(runs.filter(({ signal }) => !signal.aborted)).toHaveLength(runs.length - 1 - runs.indexOf(run))
    vi.advanceTimersByTime(20)
  }
})

test('a short run has no timer, and one that has ended keeps none', () => {
  const short = begin(60_000)
  expect(vi.getTimerCount()).toBe(1)
  vi.advanceTimersByTime(10)
  end(short)
  const long = begin(60_000)
  vi.advanceTimersByTime(100)
  expect(short.timer).toBeUndefined()
  end(long)
  expect(vi.getTimerCount()).toBe(0)
})

test('one that has ended gets none while what came of it is stored', () => {
  const run = begin(60_000)
  run.over()
  expect(running).toContain(run)
  begin(60_000)
  vi.advanceTimersByTime(100)
  expect(run.timer).toBeUndefined()
  expect(vi.getTimerCount()).toBe(1)
})
