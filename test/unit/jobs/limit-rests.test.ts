import { describe, expect, onTestFinished, test, vi, type Mock } from 'vitest'
import type { JobLimit } from '../../../src/jobs/contract.ts'
import { LimitRests } from '../../../src/jobs/drivers/database/limit-rests.ts'

interface Setup {
  readonly rests: LimitRests
  readonly again: Mock<() => void>
  /** The limits that others were told of. */
  readonly told: string[]
}

function setup(): Setup {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  const again = vi.fn<() => void>()
  const told: string[] = []
  const limits = new Map<string, JobLimit>([
    ['a', { concurrency: 1 }],
    ['b', { concurrency: 2 }],
    ['rate', { rate: { count: 1, perMs: 1000 } }],
  ])
  return { rests: new LimitRests({ limits, again, tell: (limit) => told.push(limit) }), again, told }
}

describe('the limits of jobs that rest', () => {
  test('a bound that is reached is left alone until a run ends', () => {
    const { rests, again } = setup()
    rests.asked('a')
    rests.reached('a')
    expect([rests.has('a'), rests.has('b')]).toEqual([true, false])
    rests.freed('b')
    expect(again).not.toHaveBeenCalled()
    rests.freed('a')
    expect(rests.has('a')).toBe(false)
    expect(again).toHaveBeenCalledOnce()
    expect(vi.getTimerCount()).toBe(0)
  })

  test('a run that has ended since it was asked is not counted: it is asked again', () => {
    const { rests, again } = setup()
    rests.asked('a')
    rests.freed('a')
    rests.reached('a')
    expect(rests.has('a')).toBe(false)
    expect(again).toHaveBeenCalledOnce()
    rests.asked('a')
    rests.reached('a')
    expect(rests.has('a')).toBe(true)
  })

  test('who is told of nothing looks again all the same', () => {
    const { rests, again } = setup()
    rests.reached('a')
    vi.runAllTimers()
    expect(rests.has('a')).toBe(false)
    expect(again).toHaveBeenCalledOnce()
  })

  test('a rate that is used up is left alone until it allows another one, whatever ends', () => {
    const { rests, again } = setup()
    rests.spent('a', 1000)
    rests.freed('a')
    vi.advanceTimersByTime(1000)
    expect(rests.has('a')).toBe(true)
    vi.advanceTimersByTime(10)
    expect(rests.has('a')).toBe(false)
    expect(again).toHaveBeenCalledOnce()
  })

  test('others are told of an end here that was not made use of here, once', () => {
    const { rests, told } = setup()
    rests.ended('a')
    rests.ended('b')
    for (const unbounded of ['rate', undefined]) rests.ended(unbounded)
    rests.asked('b')
    rests.reached('b')
    rests.tell()
    rests.tell()
    expect(told).toEqual(['a'])
  })

  test('nothing is left to be called once they are closed, and others are told at once', () => {
    const { rests, told } = setup()
    rests.reached('a')
    rests.spent('b', 1000)
    rests.close()
    expect(vi.getTimerCount()).toBe(0)
    rests.ended('a')
    expect(told, 'others go on').toEqual(['a'])
  })
})
