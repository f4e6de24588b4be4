import { expect, test, vi } from 'vitest'
import type { CacheStore, StoreObserver } from '../../../src/cache/contract.ts'
import { memoryStore, type MemoryFeed } from '../../../src/cache/drivers/memory/memory-store.ts'
import { PlimsollError } from '../../../src/core/errors.ts'
import { openCache } from '../../../src/cache/open-cache.ts'

/** A store that hears nothing for the time being, so that everything is loaded for those who ask. */
function deafStore(): CacheStore {
  const feed: MemoryFeed = {
    hears: true,
    attach: () => {},
    isCurrent: () => false,
    tell: async () => {},
    close: async () => {},
  }
  return memoryStore({ feed })
}

test('a reader that gives up while the store is away does not wait for the load', async () => {
  const cache = openCache({ store: deafStore() })
  const gate = Promise.withResolvers<string>()
  const started = Promise.withResolvers<void>()
  const load = (): Promise<string> => {
    started.resolve()
    return gate.promise
  }
  const leaving = new AbortController()
  const one = cache.get('k', load, { tags: ['t'], signal: leaving.signal })
  await started.promise
  leaving.abort(new Error('gone'))
  await expect(one).rejects.toThrow('gone')
  gate.resolve('there')
  expect(await cache.get('k', () => 'another', { tags: ['t'] })).toBe('another')
  await cache.close()
})

test('of what was bumped during an outage the process remembers only what is recorded nowhere else', async () => {
  const store = memoryStore()
  let observer: StoreObserver | undefined
  vi.spyOn(store, 'attach').mockImplementation((given) => (observer = given))
  const drained = vi.fn<() => Promise<void>>(async () => {})
  const cache = openCache({ store, drain: drained })
  const away = new PlimsollError('PLIMSOLL_CACHE_UNREACHABLE', 'It is away.')
  vi.spyOn(store, 'bump').mockRejectedValue(away)
  await expect(cache.bump(['recorded'], { recorded: true })).rejects.toBe(away)
  await expect(cache.bump(['noted'])).rejects.toBe(away)
  await cache.invalidate('by hand')
  const bumped: string[] = []
  await observer!.rejoin({ bump: async (tags) => void bumped.push(...tags), delete: async () => {} })
  expect(bumped.toSorted()).toEqual(['by hand', 'noted'])
  expect(drained).toHaveBeenCalledTimes(1)
})
