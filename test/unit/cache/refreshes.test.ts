import { expect, onTestFinished, test, vi } from 'vitest'
import type { OpenCache } from '../../../src/cache/cache-options.ts'
import { memoryStore } from '../../../src/cache/drivers/memory/memory-store.ts'
import { openCache } from '../../../src/cache/open-cache.ts'
import { ModelServer, ModelStore } from './model-store.ts'

const stale = { ttl: 0, stale: '1h', tags: ['t'] } as const

test('readers of one stale value ask the store once, however many they are', async () => {
  const store = memoryStore()
  const cache = openCache({ store })
  await cache.get('k', () => 1, stale)
  const reads = vi.spyOn(store, 'read')
  const gate = Promise.withResolvers<number>()
  const values = await Promise.all(Array.from({ length: 500 }, () => cache.get('k', () => gate.promise, stale)))
  expect(new Set(values)).toEqual(new Set([1]))
  expect(reads).toHaveBeenCalledTimes(1)
  gate.resolve(2)
  await vi.waitFor(() => expect(cache.statistics().loads).toBe(2))
  await cache.close()
})

test('while another process loads a stale value anew, not every reader asks whether it does', async () => {
  const server = new ModelServer()
  const open = (): { store: ModelStore; cache: OpenCache } => {
    const store = new ModelStore(server, 'pushed', async () => {})
    return { store, cache: openCache({ store }) }
  }
  const [one, other] = [open(), open()]
  await one.cache.get('k', () => 1, stale)
  await other.cache.get('k', () => 1, stale)
  const gate = Promise.withResolvers<number>()
  let started = false
  const slow = (): Promise<number> => {
    started = true
    return gate.promise
  }
  await vi.waitFor(async () => {
    await one.cache.get('k', slow, stale)
    expect(started).toBe(true)
  })
  const asked = vi.spyOn(other.store, 'acquire')
  // Time stands still.
  vi.useFakeTimers({ toFake: ['setTimeout'] })
  onTestFinished(() => void vi.useRealTimers())
  for (let n = 0; n < 100; n++) {
    expect(await other.cache.get('k', () => 3, stale)).toBe(1)
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(asked).toHaveBeenCalledTimes(1)
  gate.resolve(2)
})
