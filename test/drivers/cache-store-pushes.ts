import { setImmediate } from 'node:timers/promises'
import { expect } from 'vitest'
import type { CacheStore } from '../../src/cache/contract.ts'
import { bytesOf, entryOf, fillKey, oddTexts, random16, unique, type StoreCase } from './cache-store.ts'

/** What the contract says of what one store hears of another. */
export const pushCases: readonly StoreCase[] = [
  {
    name: 'entries and leases of one store are those of every other',
    needs: ['shared', 'entries'],
    async run(engine) {
      await using one = await engine.open()
      await using two = await engine.open()
      const key = unique()
      const bytes = await fillKey(one, key)
      expect(await bytesOf(two, key)).toEqual(bytes)
      await two.delete([key])
      expect(await bytesOf(one, key)).toBeUndefined()
    },
  },
  {
    name: 'the tags that another store bumps are told, whatever their text',
    needs: ['pushes'],
    async run(engine) {
      const heard = new Set<string>()
      let losses = 0
      await using listener = await engine.open({
        bumped: (tags) => tags.forEach((tag) => heard.add(tag)),
        lost: () => losses++,
      })
      await using other = await engine.open()
      const mark = unique()
      const { longestName = Number.POSITIVE_INFINITY } = engine
      const all = oddTexts.map((text) => text + mark)
      const tags = all.filter((tag) => tag.length <= longestName)
      await other.bump(tags)
      await expect.poll(() => tags.filter((tag) => !heard.has(tag))).toEqual([])
      for (const tag of all.filter((one) => one.length > longestName)) {
        const before = losses
        await other.bump([tag])
        await expect.poll(() => losses).toBe(before + 1)
      }
      expect(listener.features.coherence).toBe('pushed')
    },
  },
  {
    name: 'who is current has heard of every bump that was acknowledged before its window',
    needs: ['pushes'],
    async run(engine) {
      const heard = new Set<string>()
      await using listener = await engine.open({ bumped: (tags) => tags.forEach((tag) => heard.add(tag)) })
      await using other = await engine.open()
      const { windowMs = 100 } = engine
      for (let n = 0; n < 5000 / windowMs; n++) {
        const tags = [unique(), unique(), unique()]
        await other.bump(tags)
        await current(listener, performance.now() + windowMs)
        expect(tags.filter((tag) => !heard.has(tag))).toEqual([])
      }
    },
  },
  {
    name: 'the keys that another store puts and deletes are told, and not its own',
    needs: ['pushes'],
    async run(engine) {
      const heard = new Set<string>()
      const echoes: string[] = []
      await using listener = await engine.open({ removed: (keys) => keys.forEach((key) => heard.add(key)) })
      await using other = await engine.open({ removed: (keys) => echoes.push(...keys) })
      const mark = unique()
      const longest = engine.longestName ?? Number.POSITIVE_INFINITY
      const keys = oddTexts.map((text) => text + mark).filter((key) => key.length <= longest)
      const [put, own] = [unique(), unique()]
      await other.delete(keys)
      await other.put([{ key: put, bytes: entryOf(random16(), random16()), ttlMs: 60_000 }])
      await expect.poll(() => [...keys, put].filter((key) => !heard.has(key))).toEqual([])
      await listener.delete([own])
      await expect.poll(() => echoes).toContain(own)
      expect(echoes).not.toContain(put)
      expect(heard.has(own)).toBe(false)
    },
  },
]

/** Waits until a store is current at `now`. */
async function current(store: CacheStore, now: number): Promise<void> {
  while (!store.isCurrent(now)) await setImmediate()
}
