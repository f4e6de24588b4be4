import { describe, expect, test } from 'vitest'
import { LateLru } from '../../../src/cache/late-lru.ts'

describe('an LRU cache that takes its memory late', () => {
  test('is empty before anything is kept, whatever it is asked', () => {
    const cache = new LateLru<number>({ max: 2 })
    cache.delete('a')
    cache.clear()
    expect([cache.get('a'), cache.size, cache.calculatedSize]).toEqual([undefined, 0, 0])
  })

  test('takes no room for entries before the first', () => {
    const before = process.memoryUsage()
    const caches = Array.from({ length: 20 }, () => new LateLru<number>({ max: 1_000_000 }))
    const after = process.memoryUsage()
    // Each would take 24 MB.
    expect(after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers).toBeLessThan(20 * 1024 ** 2)
    expect(caches[0]!.size).toBe(0)
  })

  test('forgets what was used longest ago, and says so', () => {
    const forgotten: [string, number][] = []
    const cache = new LateLru<number>({ max: 2, dispose: (value, key) => forgotten.push([key, value]) })
    cache.set('a', 1)
    cache.set('b', 2)
    expect(cache.get('a')).toBe(1)
    cache.set('c', 3)
    expect(forgotten).toEqual([['b', 2]])
    expect([cache.get('a'), cache.get('b'), cache.get('c'), cache.size]).toEqual([1, undefined, 3, 2])
    cache.delete('a')
    expect([cache.get('a'), cache.size]).toEqual([undefined, 1])
    cache.clear()
    expect(cache.size).toBe(0)
  })

  test('adds up the sizes of its entries', () => {
    const cache = new LateLru<string>({ maxSize: 10, sizeCalculation: (value) => value.length })
    cache.set('a', 'four')
    cache.set('b', 'five5')
    expect(cache.calculatedSize).toBe(9)
    cache.set('c', 'six')
    expect([cache.calculatedSize, cache.get('a')]).toEqual([8, undefined])
  })
})
