import { expect, test, vi } from 'vitest'
import type { OpenCache } from '../../../src/cache/cache-options.ts'
import type { CacheStore } from '../../../src/cache/contract.ts'
import { openCache } from '../../../src/cache/open-cache.ts'
import { ModelServer, ModelStore } from './model-store.ts'

interface Process {
  readonly store: CacheStore
  readonly cache: OpenCache
}

/** Two processes that are told at once of what the other one removes. */
function two(): [Process, Process] {
  const server = new ModelServer()
  const open = (): Process => {
    const store = new ModelStore(server, 'pushed', async () => {})
    return { store, cache: openCache({ store }) }
  }
  return [open(), open()]
}

/** Has the next answer of a kind on its way until it is let go: what is told on another connection overtakes it. */
function late(store: CacheStore, operation: 'acquire' | 'fill' | 'put'): { sent: Promise<void>; arrive: () => void } {
  const sent = Promise.withResolvers<void>()
  const arrived = Promise.withResolvers<void>()
  const real = store[operation].bind(store) as (...given: unknown[]) => Promise<unknown>
  const answer = async (...given: unknown[]): Promise<unknown> => {
    const answer = await real(...given)
    sent.resolve()
    await arrived.promise
    return answer
  }
  vi.spyOn(store, operation).mockImplementationOnce(answer as never)
  return { sent: sent.promise, arrive: arrived.resolve }
}

const stale = { ttl: 0, stale: '1h' } as const

test('what another process has filled, and removes while the answer is on its way, is not kept here', async () => {
  const [one, other] = two()
  // It has missed the entry by a moment.
  vi.spyOn(one.store, 'read').mockResolvedValueOnce({ entries: [undefined], versions: [] })
  await other.cache.get('k', () => 'old')
  const { sent, arrive } = late(one.store, 'acquire')
  const reading = one.cache.get('k', () => 'loaded')
  await sent
  await other.cache.delete('k')
  arrive()
  expect(await reading).toBe('old')
  expect(await one.cache.get('k', () => 'new')).toBe('new')
})

test('what is loaded anew in the background, and removed while the answer is on its way, is not kept here', async () => {
  const [one, other] = two()
  await one.cache.get('k', () => 'old', stale)
  const { sent, arrive } = late(one.store, 'fill')
  expect(await one.cache.get('k', () => 'younger', stale)).toBe('old')
  await sent
  await other.cache.delete('k')
  arrive()
  await vi.waitFor(() => expect(one.cache.statistics().loads).toBe(2))
  expect(await one.cache.get('k', () => 'new', stale)).toBe('new')
})

test('what is set here, and by another process while the answer is on its way, is what the other one has set', async () => {
  const [one, other] = two()
  const { sent, arrive } = late(one.store, 'put')
  const setting = one.cache.set('k', 'one')
  await sent
  await other.cache.set('k', 'other')
  arrive()
  await setting
  expect(await one.cache.get('k', () => 'loaded')).toBe('other')
  expect(await other.cache.get('k', () => 'loaded')).toBe('other')
})

test('what is set twice at a time is what was set last, also where this process alone keeps it', async () => {
  const [{ cache }] = two()
  await Promise.all([cache.set('k', 1), cache.set('k', 2)])
  expect(cache.peek('k')).toBe(2)
})
