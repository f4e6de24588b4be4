import { expect, onTestFinished, test, vi } from 'vitest'
import type { LaneAsk } from '../../../src/jobs/drivers/database/lanes.ts'
import { SideTurns, type SideLane } from '../../../src/jobs/drivers/database/side-lane.ts'

const ask = (queue: string, priority: number): LaneAsk => ({
  lane: { id: `${queue} ${priority}`, queue, priority, limit: undefined },
  mark: 0n,
  most: 1,
})

function setup(parts: Partial<SideLane>): { readonly turns: SideTurns; readonly again: () => void } {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  const side: SideLane = {
    running: 0,
    storing: 0,
    runningOf: () => 0,
    has: () => false,
    begin: () => 0,
    ready: () => false,
    busy: () => Promise.resolve(new Set()),
    ...parts,
  }
  const again = vi.fn<() => void>()
  return { turns: new SideTurns(side, again), again }
}

test('a lane of a low priority waits for what its queue has beside the lanes, and others are open meanwhile', async () => {
  const asked: string[][] = []
  const { turns, again } = setup({
    busy: (queues) => {
      asked.push([...queues])
      return Promise.resolve(new Set(['a']))
    },
  })
  const [low, urgent, other] = [ask('a', -1), ask('a', 1), ask('b', -1)]
  expect(await turns.allowed([urgent])).toEqual([urgent])
  expect(asked).toEqual([])
  expect(await turns.allowed([low, urgent, other])).toEqual([urgent, other])
  expect(asked).toEqual([['a', 'b']])
  expect([low, urgent, other].map(({ lane }) => turns.isOpen(lane))).toEqual([false, true, true])
  vi.runAllTimers()
  expect(again).toHaveBeenCalledOnce()
  expect(turns.isOpen(low.lane)).toBe(true)
})

test('what is beside the lanes goes before those of a low priority of its queue, and takes turns with all others', () => {
  const open = (queue: string): number => (queue === 'a' ? 1 : 0)
  const { turns } = setup({ ready: (openOf) => openOf('a') > 0, begin: (most) => most })
  const turnsBefore = (before: LaneAsk[]): boolean[] => [1, 2, 3, 4].map((room) => turns.begin(room, { before, open }))
  expect(turnsBefore([])).toEqual([true, true, true, true])
  expect(turnsBefore([ask('a', -1)])).toEqual([true, true, true, true])
  for (const before of [ask('a', 0), ask('b', 1), ask('b', -1)])
    expect(turnsBefore([before])).toEqual([true, false, true, false])
})
