import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { LeasedJob } from '../../../src/jobs/contract.ts'
import { LatestProgress } from '../../../src/jobs/drivers/latest-progress.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const [one, two, three] = [{ id: 'one' } as LeasedJob, { id: 'two' } as LeasedJob, { id: 'three' } as LeasedJob]
const at = (done: number) => ({ done, total: undefined, note: undefined })
const textOf = (done: number): string => JSON.stringify(at(done))

/** Progress whose storing is answered by hand. */
function setup() {
  const calls: { readonly texts: readonly [string, string][]; readonly answer: PromiseWithResolvers<void> }[] = []
  const progress = new LatestProgress((latest) => {
    const answer = Promise.withResolvers<void>()
    calls.push({ texts: [...latest].map(([{ id }, text]) => [id, text]), answer })
    return answer.promise
  })
  return { calls, progress }
}

test('the last word of each run is stored, that of all together, and nothing when there is none', async () => {
  const { calls, progress } = setup()
  progress.tell(one, at(1))
  progress.tell(two, at(2))
  progress.tell(one, at(3))
  await vi.advanceTimersByTimeAsync(500)
  const texts = [
    ['one', textOf(3)],
    ['two', textOf(2)],
  ]
  expect(calls.map((call) => call.texts)).toEqual([texts])
  progress.tell(one, at(4))
  await vi.advanceTimersByTimeAsync(5000)
  expect(calls, 'one call at a time').toHaveLength(1)
  calls[0]!.answer.resolve()
  await vi.advanceTimersByTimeAsync(500)
  expect(calls[1]!.texts).toEqual([['one', textOf(4)]])
  calls[1]!.answer.resolve()
  await vi.advanceTimersByTimeAsync(500)
  expect(vi.getTimerCount()).toBe(0)
})

test('what is left of a run that has ended is what is not known to be stored', async () => {
  const { calls, progress } = setup()
  expect(progress.take(one)).toBeUndefined()
  progress.tell(one, at(1))
  progress.tell(two, at(2))
  await vi.advanceTimersByTimeAsync(500)
  progress.tell(one, at(3))
  expect(progress.take(one), 'newer than what is under way').toBe(textOf(3))
  expect(progress.take(one)).toBeUndefined()
  calls[0]!.answer.resolve()
  await vi.advanceTimersByTimeAsync(0)
  expect(progress.take(two), 'it is stored').toBeUndefined()
  progress.tell(two, at(4))
  await vi.advanceTimersByTimeAsync(500)
  expect(progress.take(two), 'it is under way').toBe(textOf(4))
})

test('what could not be stored is left, and sent again with the next word, unless its run has ended', async () => {
  const { calls, progress } = setup()
  progress.tell(one, at(1))
  progress.tell(two, at(2))
  await vi.advanceTimersByTimeAsync(500)
  expect(progress.take(two)).toBe(textOf(2))
  calls[0]!.answer.reject(new Error('away'))
  await vi.advanceTimersByTimeAsync(5000)
  expect(calls).toHaveLength(1)
  progress.tell(three, at(3))
  await vi.advanceTimersByTimeAsync(500)
  expect(calls[1]!.texts).toEqual([
    ['one', textOf(1)],
    ['three', textOf(3)],
  ])
  calls[1]!.answer.reject(new Error('away'))
  await vi.advanceTimersByTimeAsync(0)
  expect(progress.take(one)).toBe(textOf(1))
})

test('nothing is sent of runs that have ended before it was time to', async () => {
  const { calls, progress } = setup()
  progress.tell(one, at(1))
  expect(progress.take(one)).toBe(textOf(1))
  await vi.advanceTimersByTimeAsync(5000)
  expect(calls).toEqual([])
  progress.tell(two, at(2))
  await vi.advanceTimersByTimeAsync(500)
  expect(calls).toHaveLength(1)
})
