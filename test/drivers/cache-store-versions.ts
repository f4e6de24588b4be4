import { expect } from 'vitest'
import { oddTexts, unique, versionOf, type StoreCase } from './cache-store.ts'

/** What the contract says of the versions of tags. */
export const versionCases: readonly StoreCase[] = [
  {
    name: 'a tag has no version until one is made, and keeps that',
    async run(engine) {
      await using store = await engine.open()
      const tag = unique()
      expect((await store.read([], [tag])).versions).toEqual([undefined])
      const [made] = await store.createVersions([tag])
      expect(made).toMatch(/^\S{16,}$/)
      expect((await store.read([], [tag])).versions).toEqual([made])
      expect(await store.createVersions([tag])).toEqual([made])
    },
  },
  {
    name: 'versions are answered in the order of their tags, missing ones and repeated ones too',
    async run(engine) {
      await using store = await engine.open()
      const [a, b, c] = [unique('a'), unique('b'), unique('c')]
      const [versionA, versionC] = await store.createVersions([a, c])
      const { entries, versions } = await store.read([], [c, b, a, c])
      expect(versions).toEqual([versionC, undefined, versionA, versionC])
      expect(entries).toEqual([])
      const made = await store.createVersions([c, b, a, b])
      expect(made).toEqual([versionC, made[1], versionA, made[1]])
    },
  },
  {
    name: 'all who make the version of one tag at once get the same one',
    async run(engine) {
      await using first = await engine.open()
      await using second = engine.lacks.shared === undefined ? await engine.open() : first
      const tag = unique()
      const made = await Promise.all(
        Array.from({ length: 200 }, (_, n) => (n % 2 === 0 ? first : second).createVersions([tag])),
      )
      expect(new Set(made.flat()).size).toBe(1)
    },
  },
  {
    name: 'a bump gives a tag a version that it never had, and no other tag another one',
    async run(engine) {
      await using store = await engine.open()
      const [tag, other] = [unique(), unique()]
      const untouched = await versionOf(store, other)
      const seen = new Set([await versionOf(store, tag)])
      for (let n = 1; n <= 20; n++) {
        await store.bump([tag])
        seen.add(await versionOf(store, tag))
        expect(seen.size).toBe(n + 1)
      }
      expect(await versionOf(store, other)).toBe(untouched)
    },
  },
  {
    name: 'a bump of many tags is one of each, also of those without a version',
    async run(engine) {
      await using store = await engine.open()
      const tags = Array.from({ length: 2000 }, () => unique())
      const before = await store.createVersions(tags.slice(0, 1000))
      await store.bump(tags)
      const after = await store.createVersions(tags)
      expect(new Set([...before, ...after]).size).toBe(3000)
    },
  },
  {
    name: 'a tag may be any text, and is another tag than any other text',
    async run(engine) {
      await using store = await engine.open()
      const mark = unique()
      const tags = oddTexts.map((text) => text + mark)
      const made = await store.createVersions(tags)
      expect(new Set(made).size).toBe(tags.length)
      expect((await store.read([], tags)).versions).toEqual(made)
      for (const [i, tag] of tags.entries()) {
        await store.bump([tag])
        const now = await Promise.all(tags.map((other) => versionOf(store, other)))
        expect(now.map((version, place) => version === made[place])).toEqual(tags.map((_, place) => place !== i))
        made[i] = now[i]!
      }
    },
  },
  {
    name: 'nothing may be asked for, made, stored or removed',
    async run(engine) {
      await using store = await engine.open()
      expect(await store.read([], [])).toEqual({ entries: [], versions: [] })
      expect(await store.createVersions([])).toEqual([])
      await store.bump([])
      await store.put([])
      await store.delete([])
    },
  },
  {
    name: 'every store sees the versions that another one makes and bumps',
    needs: ['shared'],
    async run(engine) {
      await using one = await engine.open()
      await using two = await engine.open()
      const tag = unique()
      const made = await versionOf(one, tag)
      expect(await versionOf(two, tag)).toBe(made)
      await two.bump([tag])
      expect(await versionOf(one, tag)).not.toBe(made)
      expect(await versionOf(one, tag)).toBe(await versionOf(two, tag))
    },
  },
]
