import { randomBytes } from 'node:crypto'
import { expect } from 'vitest'
import { stampLength } from '../../src/cache/contract.ts'
import { ask, bytesOf, entryOf, fillKey, oddTexts, random16, stateOf, unique, type StoreCase } from './cache-store.ts'

const ttlMs = 60_000

/** What the contract says of entries, of stores that keep any. */
export const entryCases: readonly StoreCase[] = [
  {
    name: 'an entry comes back byte by byte',
    needs: ['entries'],
    async run(engine) {
      await using store = await engine.open()
      const [key, asked] = [unique(), ask(unique())]
      const everyByte = Buffer.from(Array.from({ length: 512 }, (_, n) => n % 256))
      const bytes = entryOf(asked.generation, asked.token, everyByte)
      await store.acquire(asked)
      expect(await store.fill(asked.key, { token: asked.token, bytes, ttlMs })).toBe(true)
      await store.put([{ key, bytes: entryOf(asked.generation, asked.token, ''), ttlMs }])
      expect(await bytesOf(store, asked.key)).toEqual(bytes)
      expect(await bytesOf(store, key)).toEqual(bytes.subarray(0, 32))
    },
  },
  {
    name: 'entries are answered in the order of their keys, missing ones and repeated ones too, beside versions',
    needs: ['entries'],
    async run(engine) {
      await using store = await engine.open()
      const [a, b, c, tag] = [unique(), unique(), unique(), unique()]
      const [bytesA, bytesC] = [await fillKey(store, a), await fillKey(store, c)]
      const [version] = await store.createVersions([tag])
      const { entries, versions } = await store.read([c, b, a, c], [tag, unique()])
      expect(entries.map((entry) => entry?.bytes)).toEqual([bytesC, undefined, bytesA, bytesC])
      expect(entries.map((entry) => entry?.remainingMs)).toEqual([undefined, undefined, undefined, undefined])
      expect(versions).toEqual([version, undefined])
    },
  },
  {
    name: 'reads that are asked for together are answered apart',
    needs: ['entries'],
    async run(engine) {
      await using store = await engine.open()
      const keys = Array.from({ length: 1500 }, () => unique())
      const tags = keys.slice(0, 20)
      const items = keys.map((key) => ({ key, bytes: entryOf(random16(), random16(), key), ttlMs }))
      await store.put(items.filter((_, n) => n % 3 !== 0))
      const versions = await store.createVersions(tags)
      const answers = await Promise.all(
        keys.map((key, n) => store.read([key, keys[0]!], [tags[n % 20]!], { ages: n % 2 === 0 })),
      )
      for (const [n, answer] of answers.entries()) {
        const [entry, missing] = answer.entries
        expect(entry?.bytes).toEqual(n % 3 === 0 ? undefined : items[n]!.bytes)
        expect(typeof entry?.remainingMs).toBe(n % 3 !== 0 && n % 2 === 0 ? 'number' : 'undefined')
        expect(missing).toBeUndefined()
        expect(answer.versions).toEqual([versions[n % 20]])
      }
    },
  },
  {
    name: 'who asks for a key that has been filled meanwhile gets the entry',
    needs: ['entries'],
    async run(engine) {
      await using store = await engine.open()
      const key = unique()
      const bytes = await fillKey(store, key)
      const answer = await store.acquire(ask(key, { waited: true }))
      expect(answer).toMatchObject({ state: 'filled', entry: { bytes } })
    },
  },
  {
    name: 'an entry of another generation, or the one to be replaced, is as good as none',
    needs: ['entries'],
    async run(engine) {
      await using store = await engine.open()
      const key = unique()
      const token = random16()
      const bytes = await fillKey(store, key, { token })
      expect(await stateOf(store, ask(key, { replacing: random16() }))).toBe('filled')
      const replacer = ask(key, { replacing: token })
      expect(await stateOf(store, replacer)).toBe('won')
      expect(await stateOf(store, ask(key, { replacing: token }))).toBe('taken')
      expect(await bytesOf(store, key), 'it is served until it is replaced').toEqual(bytes)
      await store.release(key, replacer.token)
      expect(await stateOf(store, ask(key, { generation: random16() }))).toBe('won')
    },
  },
  {
    name: 'an entry ends with its time, and says how much of it is left',
    needs: ['entries'],
    async run(engine) {
      await using store = await engine.open()
      const [key, brief] = [unique(), unique()]
      const bytes = entryOf(random16(), random16())
      await store.put([
        { key, bytes, ttlMs },
        { key: brief, bytes, ttlMs: 50 },
      ])
      const left = async (): Promise<number> =>
        (await store.read([key], [], { ages: true })).entries[0]?.remainingMs ?? Number.NaN
      const first = await left()
      expect(first).toBeGreaterThan(ttlMs - 20_000)
      expect(first).toBeLessThanOrEqual(ttlMs + 2000)
      await expect.poll(left).toBeLessThan(first)
      await expect.poll(() => bytesOf(store, brief)).toBeUndefined()
      const answer = await store.acquire(ask(key, { generation: bytes.toString('latin1', 0, 16) }))
      // Nobody asked for it here; a store may tell.
      expect(answer.state === 'filled' && (answer.entry.remainingMs ?? first)).toBeLessThanOrEqual(first)
    },
  },
  {
    name: 'a put replaces what is there, and a delete removes it',
    needs: ['entries'],
    async run(engine) {
      await using store = await engine.open()
      const [key, other] = [unique(), unique()]
      const kept = await fillKey(store, other)
      await fillKey(store, key)
      const bytes = entryOf(random16(), random16(), 'put')
      await store.put([{ key, bytes, ttlMs }])
      expect(await bytesOf(store, key)).toEqual(bytes)
      await store.delete([key, unique()])
      expect(await bytesOf(store, key)).toBeUndefined()
      expect(await bytesOf(store, other)).toEqual(kept)
    },
  },
  {
    name: 'a key may be any text, and is another key than any other text',
    needs: ['entries'],
    async run(engine) {
      await using store = await engine.open()
      const mark = unique()
      const items = oddTexts.map((text) => ({ key: text + mark, bytes: entryOf(random16(), random16(), text), ttlMs }))
      await store.put(items)
      const { entries } = await store.read(
        items.map(({ key }) => key),
        [],
      )
      expect(entries.map((entry) => entry?.bytes)).toEqual(items.map(({ bytes }) => bytes))
      await store.delete([items[0]!.key])
      expect(await bytesOf(store, items[1]!.key)).toEqual(items[1]!.bytes)
    },
  },
  {
    name: 'a large entry comes back whole, and one that is too large is refused',
    needs: ['entries'],
    async run(engine) {
      await using store = await engine.open()
      const asked = ask(unique())
      await store.acquire(asked)
      const size = Math.min(5_000_000, store.features.maxEntryBytes)
      const bytes = entryOf(asked.generation, asked.token, randomBytes(size - stampLength))
      expect(await store.fill(asked.key, { token: asked.token, bytes, ttlMs })).toBe(true)
      expect((await bytesOf(store, asked.key))?.equals(bytes)).toBe(true)
      const tooLarge = Buffer.alloc(store.features.maxEntryBytes + 1)
      const next = ask(unique())
      await store.acquire(next)
      const refused = { code: 'PLIMSOLL_CACHE_VALUE_TOO_LARGE', message: expect.stringContaining(next.key) }
      await expect(store.fill(next.key, { token: next.token, bytes: tooLarge, ttlMs })).rejects.toMatchObject(refused)
      await expect(store.put([{ key: next.key, bytes: tooLarge, ttlMs }])).rejects.toMatchObject(refused)
      expect(await store.renew(next.key, next.token, 60_000), 'the loader may yet say that it failed').toBe(true)
    },
  },
]
