import { expect, test, vi } from 'vitest'
import type { StoreObserver } from '../../../src/cache/contract.ts'
import { memoryStore } from '../../../src/cache/drivers/memory/memory-store.ts'
import { openCache } from '../../../src/cache/open-cache.ts'
import { PlimsollError } from '../../../src/core/errors.ts'

test('many tags are bumped some at a time, so that no store takes them for an outage, and those that fail are remembered', async () => {
  const store = memoryStore()
  let observer: StoreObserver | undefined
  vi.spyOn(store, 'attach').mockImplementation((given) => (observer = given))
  const cache = openCache({ store })
  const tags = Array.from({ length: 10_000 }, (_, n) => `t:${n}`)
  const told: string[] = []
  vi.spyOn(store, 'bump').mockImplementation(async (some) => {
    expect(some.length).toBeLessThanOrEqual(2000)
    if (some.includes('t:5000')) throw new PlimsollError('PLIMSOLL_CACHE_UNREACHABLE', 'It is away.')
    told.push(...some)
  })
  await expect(cache.bump(tags)).rejects.toMatchObject({ code: 'PLIMSOLL_CACHE_UNREACHABLE' })
  const later: string[] = []
  await observer!.rejoin({ bump: async (some) => void later.push(...some), delete: async () => {} })
  expect(later).toContain('t:5000')
  expect(new Set([...told, ...later])).toEqual(new Set(tags))
  await cache.close()
})
