import { expect } from 'vitest'
import { ask, entryOf, oddTexts, random16, stateOf, unique, type StoreCase } from './cache-store.ts'

/** What the contract says of leases. */
export const leaseCases: readonly StoreCase[] = [
  {
    name: 'of 200 that ask for one cold key at once, in several stores, one loads',
    async run(engine) {
      const count = engine.lacks.shared === undefined ? 4 : 1
      const stores = await Promise.all(Array.from({ length: count }, () => engine.open()))
      const key = unique()
      const states = await Promise.all(Array.from({ length: 200 }, (_, n) => stateOf(stores[n % count]!, ask(key))))
      expect(states.filter((state) => state === 'won')).toHaveLength(1)
      expect(states.filter((state) => state === 'taken')).toHaveLength(199)
      await Promise.all(stores.map((store) => store.close()))
    },
  },
  {
    name: 'a loader that asks again still has its lease',
    async run(engine) {
      await using store = await engine.open()
      const asked = ask(unique())
      expect(await stateOf(store, asked)).toBe('won')
      expect(await stateOf(store, asked)).toBe('won')
      expect(await stateOf(store, ask(asked.key))).toBe('taken')
    },
  },
  {
    name: 'a lease ends by itself, and with it the right to fill',
    async run(engine) {
      await using store = await engine.open()
      const dead = ask(unique(), { leaseMs: 30 })
      expect(await stateOf(store, dead)).toBe('won')
      const next = ask(dead.key)
      await expect.poll(() => stateOf(store, next)).toBe('won')
      const bytes = entryOf(dead.generation, dead.token)
      expect(await store.fill(dead.key, { token: dead.token, bytes, ttlMs: 60_000 })).toBe(false)
      expect(await store.renew(dead.key, dead.token, 60_000)).toBe(false)
    },
  },
  {
    name: 'a lease that is renewed lasts longer than one that is not',
    async run(engine) {
      await using store = await engine.open()
      const [renewed, left] = [ask(unique(), { leaseMs: 1000 }), ask(unique(), { leaseMs: 1000 })]
      expect(await stateOf(store, renewed)).toBe('won')
      expect(await store.renew(renewed.key, renewed.token, 60_000)).toBe(true)
      expect(await stateOf(store, left)).toBe('won')
      await expect.poll(() => stateOf(store, ask(left.key))).toBe('won')
      expect(await stateOf(store, ask(renewed.key))).toBe('taken')
    },
  },
  {
    name: 'nobody renews, fills or frees under the lease of another, or under none',
    async run(engine) {
      await using store = await engine.open()
      const holder = ask(unique())
      const [token, free] = [random16(), unique()]
      const bytes = entryOf(holder.generation, token)
      expect(await stateOf(store, holder)).toBe('won')
      for (const key of [holder.key, free]) {
        expect(await store.renew(key, token, 60_000)).toBe(false)
        expect(await store.fill(key, { token, bytes, ttlMs: 60_000 })).toBe(false)
        await store.release(key, token)
        await store.release(key, token, 'It broke.')
      }
      expect((await store.read([holder.key, free], [])).entries).toEqual([undefined, undefined])
      expect(await stateOf(store, ask(holder.key, { waited: true }))).toBe('taken')
      expect(await store.renew(holder.key, holder.token, 60_000)).toBe(true)
    },
  },
  {
    name: 'a lease of another generation holds nobody up, and is lost to who takes it over',
    async run(engine) {
      await using store = await engine.open()
      const old = ask(unique(), { generation: random16() })
      const now = ask(old.key, { generation: random16() })
      expect(await stateOf(store, old)).toBe('won')
      expect(await stateOf(store, now)).toBe('won')
      expect(await store.renew(old.key, old.token, 60_000)).toBe(false)
      const stale = { token: old.token, bytes: entryOf(old.generation, old.token), ttlMs: 60_000 }
      expect(await store.fill(old.key, stale)).toBe(false)
      await store.release(old.key, old.token, 'It broke.')
      expect(await stateOf(store, ask(old.key, { generation: now.generation, waited: true }))).toBe('taken')
      const fresh = { token: now.token, bytes: entryOf(now.generation, now.token), ttlMs: 60_000 }
      expect(await store.fill(old.key, fresh)).toBe(true)
    },
  },
  {
    name: 'a fill frees the lease',
    async run(engine) {
      await using store = await engine.open()
      const asked = ask(unique())
      expect(await stateOf(store, asked)).toBe('won')
      const fill = { token: asked.token, bytes: entryOf(asked.generation, asked.token), ttlMs: 60_000 }
      expect(await store.fill(asked.key, fill)).toBe(true)
      expect(await store.fill(asked.key, fill)).toBe(false)
      expect(await store.renew(asked.key, asked.token, 60_000)).toBe(false)
      expect(await stateOf(store, ask(asked.key, { generation: random16() }))).toBe('won')
    },
  },
  {
    name: 'a lease that is released is free at once',
    async run(engine) {
      await using store = await engine.open()
      const asked = ask(unique())
      expect(await stateOf(store, asked)).toBe('won')
      await store.release(asked.key, asked.token)
      expect(await stateOf(store, ask(asked.key, { waited: true }))).toBe('won')
    },
  },
  {
    name: 'who waited is told that the load has failed, and nobody else',
    async run(engine) {
      await using store = await engine.open()
      const loader = ask(unique())
      expect(await stateOf(store, loader)).toBe('won')
      await store.release(loader.key, loader.token, 'It broke:\n"ünder" | load')
      for (let waiter = 0; waiter < 3; waiter++) {
        const told = { state: 'failed', message: 'It broke:\n"ünder" | load' }
        expect(await store.acquire(ask(loader.key, { waited: true }))).toEqual(told)
      }
      const next = ask(loader.key)
      expect(await stateOf(store, next)).toBe('won')
      expect(await stateOf(store, ask(loader.key, { waited: true }))).toBe('taken')
      await store.release(next.key, next.token)
      expect(await stateOf(store, ask(loader.key, { waited: true }))).toBe('won')
    },
  },
  {
    name: 'who waited for another generation is not told of the failure, but loads',
    async run(engine) {
      await using store = await engine.open()
      const loader = ask(unique())
      expect(await stateOf(store, loader)).toBe('won')
      await store.release(loader.key, loader.token, 'It broke.')
      expect(await stateOf(store, ask(loader.key, { generation: random16(), waited: true }))).toBe('won')
    },
  },
  {
    name: 'a failure is forgotten',
    async run(engine) {
      await using store = await engine.open()
      const loader = ask(unique())
      expect(await stateOf(store, loader)).toBe('won')
      await store.release(loader.key, loader.token, 'It broke.')
      await expect.poll(() => stateOf(store, ask(loader.key, { waited: true }))).toBe('won')
    },
  },
  {
    name: 'a put or a delete while a key is loaded takes its lease away',
    async run(engine) {
      await using store = await engine.open()
      for (const interfere of [
        (key: string) => store.delete([unique(), key]),
        (key: string) => store.put([{ key, bytes: entryOf(random16(), random16(), 'put'), ttlMs: 60_000 }]),
      ]) {
        const loader = ask(unique())
        expect(await stateOf(store, loader)).toBe('won')
        await interfere(loader.key)
        expect(await store.renew(loader.key, loader.token, 60_000)).toBe(false)
        const bytes = entryOf(loader.generation, loader.token, 'loaded before')
        expect(await store.fill(loader.key, { token: loader.token, bytes, ttlMs: 60_000 })).toBe(false)
        expect((await store.read([loader.key], [])).entries[0]?.bytes.includes('loaded before') ?? false).toBe(false)
        expect(await stateOf(store, ask(loader.key))).toBe('won')
      }
    },
  },
  {
    name: 'the key of a lease may be any text, and is another key than any other text',
    async run(engine) {
      await using store = await engine.open()
      const mark = unique()
      for (const text of oddTexts) expect(await stateOf(store, ask(text + mark))).toBe('won')
      for (const text of oddTexts) expect(await stateOf(store, ask(text + mark))).toBe('taken')
    },
  },
]
