import { describe, expect, test } from 'vitest'
import { jobId } from '../../../src/jobs/job-id.ts'

// RFC 9562, 5.7: 48 bits of milliseconds, version 7, 12 bits, variant 10, 62 bits.
const layout = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
const timeOf = (id: string): number => Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)

describe('the id of a job', () => {
  test('is a UUID of version 7 with the time in front', () => {
    const before = Date.now()
    const id = jobId()
    expect(id).toMatch(layout)
    expect(timeOf(id)).toBeGreaterThanOrEqual(before)
    expect(timeOf(id)).toBeLessThanOrEqual(Date.now() + 1)
  })

  test('sorts in the order it was made in, and is nobody else’s', () => {
    const ids = Array.from({ length: 50_000 }, () => jobId())
    expect(ids).toEqual(ids.toSorted())
    expect(new Set(ids).size).toBe(ids.length)
    for (const id of ids) expect(layout.test(id)).toBe(true)
    expect(new Set(ids.map((id) => id.slice(19))).size, 'in its random part alone').toBe(ids.length)
  })

  test('sorts also when more are made in a millisecond than it can count, and when the clock goes back', () => {
    const now = Date.now() + 1000
    const ids = [
      ...Array.from({ length: 10_000 }, () => jobId(now)),
      jobId(now - 60_000),
      jobId(now + 60_000),
      jobId(now),
    ]
    expect(ids).toEqual(ids.toSorted())
    expect(timeOf(ids[0]!)).toBe(now)
    expect(timeOf(ids.at(-2)!)).toBe(now + 60_000)
  })
})
