import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { LoopWatch } from '../../../src/jobs/drivers/loop-watch.ts'
import { SignsOfLife } from '../../../src/jobs/drivers/signs-of-life.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

test('a loop that runs a job with a time-out of a second may be silent for two minutes beyond that', () => {
  const loop = new LoopWatch()
  const signs = new SignsOfLife({ mostMs: () => 1000, tell: (mostMs) => loop.alive(mostMs) })
  signs.began()
  vi.advanceTimersByTime(121_000)
  expect(loop.astray).toBe(false)
  vi.advanceTimersByTime(1001)
  expect(loop.astray).toBe(true)
  signs.began()
  expect(loop.astray).toBe(false)
})

test('nothing is known of a loop before its first word', () => {
  const loop = new LoopWatch()
  vi.advanceTimersByTime(86_400_000)
  expect(loop.astray).toBe(false)
})
