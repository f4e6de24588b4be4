import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createKetama } from '../../../src/cache/drivers/memcached/ketama.ts'

const keys = Array.from({ length: 10_000 }, (_, n) => `key:${n}`)
const named = (count: number): { name: string }[] =>
  Array.from({ length: count }, (_, n) => ({ name: `10.0.1.${n + 1}:11211` }))
const first64 = (pick: (key: string) => number): string => keys.slice(0, 64).map(pick).join('')

describe('the servers of keys', () => {
  test('are those that other ketama clients choose', () => {
    // What the package hashring 3.2.0 answers for the same servers and keys.
    expect(first64(createKetama(named(3)))).toBe('0212112112221022100021020012022200012101122122002111110002022100')
    const weighted = named(4).map((server, n) => ({ ...server, weight: n === 2 ? 2 : 1 }))
    expect(first64(createKetama(weighted))).toBe('0233112332321022203323020012022200013101222322032021130302323102')
    // The example of the Python bindings of libketama.
    const weights = [400, 600, 600].map((weight, n) => ({ name: `127.0.0.1:${n + 1}`, weight }))
    expect(createKetama(weights)('1')).toBe(2)
  })

  test('have about their share each', () => {
    const weights = [1, 2, 1, 4]
    const pick = createKetama(named(4).map((server, n) => ({ ...server, weight: weights[n] })))
    const counts = [0, 0, 0, 0]
    for (const key of keys) counts[pick(key)]!++
    for (const [n, weight] of weights.entries()) {
      const share = (keys.length * weight) / 8
      expect(counts[n]).toBeGreaterThan(share * 0.75)
      expect(counts[n]).toBeLessThan(share * 1.25)
    }
  })

  test('stay the same when one is added, but for about its share, which goes to it', () => {
    for (const count of [1, 2, 3, 7]) {
      const before = createKetama(named(count))
      const after = createKetama(named(count + 1))
      const moved = keys.filter((key) => before(key) !== after(key))
      expect(moved.filter((key) => after(key) !== count)).toEqual([])
      expect(moved.length).toBeGreaterThan((keys.length / (count + 1)) * 0.7)
      expect(moved.length).toBeLessThan((keys.length / (count + 1)) * 1.3)
    }
  })

  test('do not depend on the order in which they are named', () => {
    const servers = named(4)
    const pick = createKetama(servers)
    fc.assert(
      fc.property(fc.shuffledSubarray(servers, { minLength: 4 }), fc.string({ unit: 'binary' }), (shuffled, key) => {
        expect(shuffled[createKetama(shuffled)(key)]).toBe(servers[pick(key)])
      }),
      { numRuns: 10 },
    )
  })

  test('exist for every key, also where only one server has a weight to speak of', () => {
    const pick = createKetama([
      { name: 'a:1', weight: 1 },
      { name: 'b:1', weight: 1e6 },
    ])
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (key) => {
        expect([0, 1]).toContain(pick(key))
      }),
    )
  })
})
