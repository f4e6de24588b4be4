import { expect, test } from 'vitest'
import { simulateWorkers } from '../../../../bench/suites/files/scale-out.ts'

test('k simulated workers divide the chunks, and not what comes before and after', () => {
  const times = { beforeMs: 100, chunksMs: Array.from({ length: 12 }, () => 1000), afterMs: 300 }
  expect([1, 2, 3, 4, 12, 100].map((workers) => simulateWorkers(times, workers))).toEqual([
    12_400, 6400, 4400, 3400, 1400, 1400,
  ])
  expect(simulateWorkers({ ...times, chunksMs: [500, 3000, 500, 500] }, 2)).toBe(3400)
})
