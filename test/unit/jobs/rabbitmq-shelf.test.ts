import { beforeEach, expect, test, vi } from 'vitest'
import type { LeasedJob } from '../../../src/jobs/contract.ts'
import { Shelf } from '../../../src/jobs/drivers/rabbitmq/shelf.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] })
  return () => vi.useRealTimers()
})

function fill(shelf: Shelf, ids: readonly string[]): void {
  const message = { channel: 1, tag: 1, left: ids.length }
  for (const id of ids) shelf.put({ job: { id } as LeasedJob, message, arrivedAt: performance.now() })
}

function idsOf(jobs: ReturnType<Shelf['take']>): string[] {
  return jobs.map(({ job }) => job.id)
}

test('gives away all that has waited when nothing begins, and what is over its bound when something does', () => {
  const shelf = new Shelf()
  fill(shelf, ['a', 'b', 'c', 'd', 'e'])
  expect(shelf.take(1)).toHaveLength(1)
  expect(shelf.takeStuck(1000, 2), 'it has only come').toEqual([])
  vi.advanceTimersByTime(1001)
  shelf.take(1)
  fill(shelf, ['f'])
  expect(idsOf(shelf.takeStuck(1000, 2)), 'the last one has only come').toEqual(['e'])
  expect(shelf.size).toBe(3)
  expect(idsOf(shelf.takeStuck(1000, 2)), 'nothing has begun').toEqual(['c', 'd'])
  vi.advanceTimersByTime(1001)
  expect(idsOf(shelf.takeStuck(1000, 2))).toEqual(['f'])
  expect(shelf.size).toBe(0)
})
