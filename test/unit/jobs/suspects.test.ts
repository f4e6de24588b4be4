import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { LeasedJob } from '../../../src/jobs/contract.ts'
import { nextLookMs, usualLeaseMs } from '../../../src/jobs/drivers/lease-times.ts'
import { Suspects } from '../../../src/jobs/drivers/suspects.ts'

let made = 0

function jobs(count: number, deaths: number): LeasedJob[] {
  const none = { owner: undefined, trace: undefined, step: undefined }
  const job = { name: 'job', version: 1, queue: 'q', tenant: '', input: '1', attempt: 1, createdAt: 0, deaths, ...none }
  return Array.from({ length: count }, () => ({ ...job, id: String(++made) }))
}

/** A worker that begins as many of these as it may, whenever it may. */
function work(waiting: LeasedJob[]): { readonly suspects: Suspects; readonly batches: LeasedJob[][]; fill(): void } {
  const batches: LeasedJob[][] = []
  const fill = (): void => {
    const batch = waiting.splice(0, suspects.open('suspect'))
    for (const job of batch) suspects.began(job)
    if (batch.length > 0) batches.push(batch)
  }
  const suspects = new Suspects(fill)
  fill()
  return { suspects, batches, fill }
}

describe('jobs whose worker has died', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  test.each([20, 1000])('all %i orphans of a killed worker have begun within 30 s, however long they run', (count) => {
    const { batches } = work(jobs(count, 1))
    vi.advanceTimersByTime(30_000 - usualLeaseMs - nextLookMs(usualLeaseMs, 1))
    expect(batches.flat()).toHaveLength(count)
  })

  test('begin by ones, twos, fours … as those before have come through a moment', () => {
    const { batches } = work(jobs(20, 1))
    const begun = [batches.flat().length]
    while (vi.getTimerCount() > 0) {
      vi.advanceTimersByTime(500)
      begun.push(batches.flat().length)
    }
    expect(begun).toEqual([1, 3, 7, 15, 20, 20])
  })

  test('begin the sooner the sooner those before have ended, and by one again when others have died since', () => {
    const { suspects, batches, fill } = work(jobs(4, 1))
    for (let at = 0; at < 2; at++) {
      for (const job of batches[at]!) suspects.ended(job)
      fill()
    }
    expect(batches.map((batch) => batch.length)).toEqual([1, 2, 1])
    suspects.ended(batches[2]![0]!)
    expect(suspects.open('suspect')).toBe(5)
    vi.advanceTimersByTime(60_000)
    expect(suspects.open('suspect')).toBe(1)
  })

  test('one at a time when they may have died of what ends in no time', () => {
    const { suspects, batches, fill } = work(jobs(3, 0))
    for (let at = 0; at < 3; at++) {
      suspects.ended(batches[at]![0]!)
      fill()
    }
    expect(batches.map((batch) => batch.length)).toEqual([1, 1, 1])
  })

  test('run one at a time until their end when they have lost two, and hold up no others', () => {
    const { suspects } = work([])
    const [first, second] = jobs(2, 2)
    expect(suspects.open('prime')).toBe(1)
    suspects.began(first!)
    vi.advanceTimersByTime(3_600_000)
    expect([suspects.open('prime'), suspects.open('suspect')]).toEqual([0, 1])
    suspects.ended(first!)
    expect(suspects.open('prime')).toBe(1)
    suspects.began(second!)
    expect(suspects.open('prime')).toBe(0)
  })
})
