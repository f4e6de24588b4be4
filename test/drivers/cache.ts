// Over 400 lines: one case after another, none of which needs to know of the others.
import { expect, vi } from 'vitest'
import { observe, type PlimsollEvent } from '../../src/core/events.ts'
import type { CacheOptions, OpenCache } from '../../src/cache/cache-options.ts'

/** What a case needs of an engine beside the contract. */
export type CacheNeed = 'several processes'

/** Opens caches on one engine, each as a process of its own would; they see nothing of other tests. */
export type OpenOne = (options?: Partial<CacheOptions>) => Promise<OpenCache>

export interface CacheCase {
  readonly name: string
  readonly needs?: readonly CacheNeed[]
  run(open: OpenOne): Promise<void>
}

/** A loader that counts its calls and gives a new number each time, when it is let go. */
function counting(): { readonly load: () => Promise<number>; calls: number } {
  const counter = {
    calls: 0,
    load: async (): Promise<number> => {
      await new Promise((resolve) => setTimeout(resolve, 5))
      return ++counter.calls
    },
  }
  return counter
}

/** The events of `work`. */
async function eventsOf(work: () => Promise<unknown>): Promise<PlimsollEvent[]> {
  const seen: PlimsollEvent[] = []
  const stop = observe((event) => seen.push(event))
  await work().finally(stop)
  return seen
}

const waits = { timeout: 10_000, interval: 5 }

/** The promises of the cache, whatever the engine. */
export const cacheCases: readonly CacheCase[] = [
  {
    name: 'a value is loaded once, then served',
    async run(open) {
      const cache = await open()
      const { load } = counting()
      expect(await cache.get('a', load)).toBe(1)
      expect(await cache.get('a', load)).toBe(1)
      expect(await cache.get('b', load)).toBe(2)
      const { hits, misses, loads, namespaces } = cache.statistics()
      expect({ hits, misses, loads }).toEqual({ hits: 1, misses: 2, loads: 2 })
      expect(namespaces.get('a')).toMatchObject({ hits: 1, misses: 1 })
    },
  },
  {
    name: 'a thousand readers of one cold key cause one load',
    async run(open) {
      const cache = await open()
      const counter = counting()
      const values = await Promise.all(Array.from({ length: 1000 }, () => cache.get('hot', counter.load)))
      expect(new Set(values)).toEqual(new Set([1]))
      expect(counter.calls).toBe(1)
    },
  },
  {
    name: 'readers of several processes cause one load together',
    needs: ['several processes'],
    async run(open) {
      const caches = await Promise.all(Array.from({ length: 4 }, () => open()))
      const counter = counting()
      const values = await Promise.all(
        Array.from({ length: 400 }, (_, i) => caches[i % 4]!.get('hot', counter.load, { tags: ['t'] })),
      )
      expect(new Set(values)).toEqual(new Set([1]))
      expect(counter.calls).toBe(1)
    },
  },
  {
    name: 'invalidating a tag ends every value that has it, and no other',
    async run(open) {
      const cache = await open()
      const { load } = counting()
      await cache.get('one', load, { tags: ['red', 'round'] })
      await cache.get('two', load, { tags: ['red'] })
      await cache.get('three', load, { tags: ['blue'] })
      await cache.invalidate('red', 'unheard of')
      expect(await cache.get('one', load, { tags: ['red', 'round'] })).toBe(4)
      expect(await cache.get('two', load, { tags: ['red'] })).toBe(5)
      expect(await cache.get('three', load, { tags: ['blue'] })).toBe(3)
    },
  },
  {
    name: 'a load that began before an invalidation is not kept, and nobody who asks after it is handed its value',
    async run(open) {
      const cache = await open()
      const { promise: gate, resolve: release } = Promise.withResolvers<void>()
      const started = Promise.withResolvers<void>()
      const old = cache.get(
        'k',
        async () => {
          started.resolve()
          await gate
          return 'old'
        },
        { tags: ['t'] },
      )
      await started.promise
      await cache.invalidate('t')
      const young = cache.get('k', async () => 'new', { tags: ['t'] })
      expect(await young).toBe('new')
      release()
      expect(await old).toBe('old')
      expect(await cache.get('k', async () => 'newer', { tags: ['t'] })).toMatch(/^new/)
    },
  },
  {
    name: 'an invalidation by one process ends what another one holds',
    needs: ['several processes'],
    async run(open) {
      const [a, b] = [await open(), await open()]
      const { load } = counting()
      expect(await a.get('k', load, { tags: ['t'] })).toBe(1)
      expect(await b.get('k', load, { tags: ['t'] })).toBe(1)
      await b.invalidate('t')
      expect(await b.get('k', load, { tags: ['t'] })).toBe(2)
      await vi.waitFor(async () => expect(await a.get('k', load, { tags: ['t'] })).toBe(2), waits)
    },
  },
  {
    name: 'a value removed by key is gone everywhere, and a load that was under way is not kept',
    async run(open) {
      const cache = await open()
      const { load } = counting()
      await cache.get('k', load)
      await cache.delete('k')
      expect(await cache.get('k', load)).toBe(2)
      const gate = Promise.withResolvers<void>()
      const started = Promise.withResolvers<void>()
      const slow = cache.get('slow', async () => {
        started.resolve()
        await gate.promise
        return 'old'
      })
      await started.promise
      await cache.delete('slow')
      gate.resolve()
      expect(await slow).toBe('old')
      expect(await cache.get('slow', async () => 'new')).toBe('new')
    },
  },
  {
    name: 'a removal by one process reaches another one',
    needs: ['several processes'],
    async run(open) {
      const [a, b] = [await open(), await open()]
      const { load } = counting()
      await a.get('k', load)
      expect(await b.get('k', load)).toBe(1)
      await a.delete('k')
      await vi.waitFor(async () => expect(await b.get('k', load)).toBe(2), waits)
    },
  },
  {
    name: 'set keeps a value with its tags',
    async run(open) {
      const cache = await open()
      await cache.set('k', { n: 1 }, { tags: ['t'] })
      expect(await cache.get('k', () => ({ n: 2 }), { tags: ['t'] })).toEqual({ n: 1 })
      await cache.set('k', { n: 3 }, { tags: ['t'] })
      expect(await cache.get('k', () => ({ n: 2 }), { tags: ['t'] })).toEqual({ n: 3 })
      await cache.invalidate('t')
      expect(await cache.get('k', () => ({ n: 4 }), { tags: ['t'] })).toEqual({ n: 4 })
    },
  },
  {
    name: 'values come back as they were, frozen or as a copy of their own',
    async run(open) {
      const cache = await open({ compressAbove: 100 })
      const values: Record<string, unknown> = {
        text: 'Grüße, 水',
        'half a character': 'a\ud83d',
        long: 'x'.repeat(10_000),
        number: -0.5,
        nan: Number.NaN,
        minus: -0,
        big: 2n ** 80n,
        nothing: null,
        undefined,
        yes: true,
        date: new Date('2026-01-02T03:04:05.678Z'),
        bytes: Buffer.from([0, 255, 128]),
        list: [1, 'a', null, [undefined]],
        nested: { a: { b: [{ c: 1 }] } },
        map: new Map<unknown, unknown>([
          ['k', new Date(0)],
          [{ a: 1 }, new Set([1n])],
        ]),
        set: new Set(['a', Buffer.from('b')]),
      }
      for (const [key, value] of Object.entries(values)) {
        for (const read of ['loaded', 'kept'] as const) {
          const got = await cache.get(key, () => value, { tags: ['t'] })
          expect(got, `${key}, ${read}`).toEqual(value)
        }
      }
      const nested = await cache.get('nested', () => values['nested'] as { a: { b: unknown[] } }, { tags: ['t'] })
      expect(() => nested.a.b.push(1)).toThrow(TypeError)
      const date = await cache.get('date', () => values['date'] as Date, { tags: ['t'] })
      date.setTime(0)
      expect(await cache.get('date', () => null, { tags: ['t'] })).toEqual(values['date'])
    },
  },
  {
    name: 'what cannot be kept is refused by name, and the cache goes on',
    async run(open) {
      const cache = await open()
      class Account {
        readonly owner = 'a'
      }
      const refused = { code: 'PLIMSOLL_CACHE_VALUE_INVALID' }
      await expect(cache.get('f', () => ({ list: [() => 1] }))).rejects.toMatchObject({
        ...refused,
        details: { path: 'list.0' },
      })
      await expect(cache.get('c', () => new Map([['a', new Account()]]))).rejects.toMatchObject(refused)
      await expect(cache.set('s', Symbol('x'))).rejects.toMatchObject(refused)
      expect(await cache.get('f', () => 1)).toBe(1)
    },
  },
  {
    name: 'a value ends with its ttl',
    async run(open) {
      const cache = await open()
      const { load } = counting()
      const options = { ttl: '200ms' } as const
      expect(await cache.get('k', load, options)).toBe(1)
      expect(await cache.get('k', load, options)).toBe(1)
      await vi.waitFor(async () => expect(await cache.get('k', load, options)).toBe(2), waits)
    },
  },
  {
    name: 'within its stale time a value is served at once while one reader loads it anew',
    async run(open) {
      const cache = await open()
      const { load } = counting()
      const options = { ttl: '50ms', stale: '1m' } as const
      await cache.get('k', load, options)
      const seen = await eventsOf(() =>
        vi.waitFor(async () => expect(await cache.get('k', load, options)).toBeGreaterThan(1), waits),
      )
      expect(seen).toContainEqual(expect.objectContaining({ type: 'cache.hit', key: 'k', stale: true }))
    },
  },
  {
    name: 'a stale value is served while its loader fails, and never after an invalidation',
    async run(open) {
      const cache = await open()
      const options = { ttl: '40ms', stale: '1m', tags: ['t'] } as const
      await cache.get('k', () => 'good', options)
      let failures = 0
      const failing = async (): Promise<string> => {
        failures++
        throw new Error('the database is away')
      }
      await vi.waitFor(async () => {
        expect(await cache.get('k', failing, options)).toBe('good')
        expect(failures).toBeGreaterThan(0)
      }, waits)
      expect(await cache.get('k', failing, options)).toBe('good')
      await cache.invalidate('t')
      await expect(cache.get('k', failing, options)).rejects.toThrow('the database is away')
    },
  },
  {
    name: 'a value is loaded ahead of its end when that is asked for',
    async run(open) {
      const cache = await open()
      const { load } = counting()
      const options = { ttl: '1h', earlyRefresh: 1 } as const
      expect(await cache.get('k', load, options)).toBe(1)
      expect(await cache.get('k', load, options)).toBe(1)
      await vi.waitFor(async () => expect(await cache.get('k', load, options)).toBeGreaterThan(1), waits)
    },
  },
  {
    name: 'null and undefined are kept for negativeTtl',
    async run(open) {
      const cache = await open()
      let calls = 0
      const nothing = (): null => {
        calls++
        return null
      }
      for (let n = 0; n < 3; n++) expect(await cache.get('n', nothing, { negativeTtl: 0 })).toBeNull()
      expect(calls).toBe(3)
      for (let n = 0; n < 3; n++) expect(await cache.get('m', nothing, { negativeTtl: '1h' })).toBeNull()
      expect(calls).toBe(4)
    },
  },
  {
    name: 'another version of a value is missed, not misread',
    async run(open) {
      const cache = await open()
      expect(await cache.get('k', () => ({ name: 'a' }), { version: 1 })).toEqual({ name: 'a' })
      expect(await cache.get('k', () => ({ names: ['a'] }), { version: 2 })).toEqual({ names: ['a'] })
    },
  },
  {
    name: 'the same key with other tags is another value',
    async run(open) {
      const cache = await open()
      await cache.get('k', () => 1, { tags: ['a'] })
      expect(await cache.get('k', () => 2, { tags: ['b'] })).toBe(2)
      expect(await cache.get('k', () => 3)).toBe(3)
    },
  },
  {
    name: 'getMany loads what is missing with one call and one round trip, in any mix of kept and missing',
    async run(open) {
      const cache = await open()
      await cache.set('k2', 'kept')
      const calls: string[][] = []
      const load = async (keys: readonly string[]): Promise<string[]> => {
        calls.push([...keys])
        return keys.map((key) => `loaded ${key}`)
      }
      const keys = ['k1', 'k2', 'k3', 'k1']
      const expected = new Map([
        ['k1', 'loaded k1'],
        ['k2', 'kept'],
        ['k3', 'loaded k3'],
      ])
      expect(await cache.getMany(keys, load)).toEqual(expected)
      expect(await cache.getMany(keys, load)).toEqual(expected)
      expect(calls).toEqual([['k1', 'k3']])
    },
  },
  {
    name: 'getMany invalidates by the tags of each key, and joins loads that are under way',
    async run(open) {
      const cache = await open()
      const options = { tags: (key: string) => [`row:${key}`] }
      const calls: string[][] = []
      const load = async (keys: readonly string[]): Promise<Map<string, number>> => {
        const call = calls.push([...keys])
        await new Promise((resolve) => setTimeout(resolve, 5))
        return new Map(keys.map((key) => [key, call]))
      }
      const both = await Promise.all([
        cache.getMany(['a', 'b'], load, options),
        cache.getMany(['b', 'c'], load, options),
      ])
      expect(calls).toEqual([['a', 'b'], ['c']])
      expect(both.map((values) => values.get('b'))).toEqual([1, 1])
      await cache.invalidate('row:b')
      await cache.getMany(['a', 'b', 'c'], load, options)
      expect(calls.at(-1)).toEqual(['b'])
    },
  },
  {
    name: 'a loader of several keys that gives too few values is refused',
    async run(open) {
      const cache = await open()
      await expect(cache.getMany(['a', 'b'], async () => [1])).rejects.toMatchObject({
        code: 'PLIMSOLL_CACHE_VALUE_INVALID',
      })
    },
  },
  {
    name: 'the error of a loader reaches everybody who waits, once, and the next reader loads again',
    async run(open) {
      const cache = await open()
      let calls = 0
      const fail = async (): Promise<never> => {
        calls++
        await new Promise((resolve) => setTimeout(resolve, 10))
        throw new Error(`failure ${calls}`)
      }
      const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => cache.get('k', fail)))
      for (const outcome of outcomes) expect(outcome).toMatchObject({ reason: { message: 'failure 1' } })
      expect(calls).toBe(1)
      expect(await cache.get('k', () => 'good')).toBe('good')
    },
  },
  {
    name: 'a failing loader fails those who wait in other processes too, without each of them loading',
    needs: ['several processes'],
    async run(open) {
      const caches = await Promise.all(Array.from({ length: 3 }, () => open()))
      let calls = 0
      const started = Promise.withResolvers<void>()
      const gate = Promise.withResolvers<void>()
      const fail = async (): Promise<never> => {
        calls++
        started.resolve()
        await gate.promise
        throw new Error('the service is down')
      }
      const first = caches[0]!.get('k', fail)
      first.catch(() => {})
      await started.promise
      let waiting = 0
      const stop = observe((event) => {
        if (event.type === 'cache.miss') waiting++
      })
      const others = caches.slice(1).map((cache) => cache.get('k', fail))
      for (const other of others) other.catch(() => {})
      await vi.waitFor(() => expect(waiting).toBe(2), waits)
      // They have asked for the lease once, and wait for it.
      await new Promise((resolve) => setTimeout(resolve, 30))
      stop()
      gate.resolve()
      await expect(first).rejects.toThrow('the service is down')
      for (const other of others) {
        await expect(other).rejects.toMatchObject({ code: 'PLIMSOLL_CACHE_LOAD_FAILED' })
        await expect(other).rejects.toThrow('the service is down')
      }
      expect(calls).toBe(1)
    },
  },
  {
    name: 'a loader that never ends is given up after its time-out, its signal aborts, and its lease is free',
    async run(open) {
      const [cache, other] = [await open(), await open()]
      let aborted = false
      const hang = ({ signal }: { signal: AbortSignal }): Promise<never> => {
        signal.addEventListener('abort', () => (aborted = true))
        return new Promise(() => {})
      }
      await expect(cache.get('k', hang, { loadTimeout: '50ms' })).rejects.toMatchObject({
        code: 'PLIMSOLL_CACHE_LOAD_TIMEOUT',
      })
      expect(aborted).toBe(true)
      expect(await other.get('k', () => 'good')).toBe('good')
    },
  },
  {
    name: 'a reader that gives up leaves the load to the others; when all have, it is aborted',
    async run(open) {
      const cache = await open()
      let aborted = false
      const gate = Promise.withResolvers<string>()
      const started = Promise.withResolvers<void>()
      const load = ({ signal }: { signal: AbortSignal }): Promise<string> => {
        signal.addEventListener('abort', () => (aborted = true))
        started.resolve()
        return gate.promise
      }
      const [one, two] = [new AbortController(), new AbortController()]
      const first = cache.get('k', load, { signal: one.signal })
      await started.promise
      const second = cache.get('k', load, { signal: two.signal })
      await vi.waitFor(() => expect(cache.statistics().waits).toBe(1), waits)
      one.abort(new Error('gone'))
      await expect(first).rejects.toThrow('gone')
      expect(aborted).toBe(false)
      gate.resolve('there')
      expect(await second).toBe('there')
      let alone: AbortSignal | undefined
      const third = cache.get(
        'l',
        ({ signal }) => {
          alone = signal
          return new Promise(() => {})
        },
        { signal: two.signal },
      )
      await vi.waitFor(() => expect(alone).toBeDefined(), waits)
      two.abort(new Error('gone too'))
      await expect(third).rejects.toThrow('gone too')
      expect(alone!.aborted).toBe(true)
      expect(await cache.get('l', () => 'another load')).toBe('another load')
    },
  },
  {
    name: 'a reader of several keys that gives up leaves those that others wait for to them',
    async run(open) {
      const cache = await open()
      const gate = Promise.withResolvers<void>()
      const started = Promise.withResolvers<AbortSignal>()
      const load = async (keys: readonly string[], { signal }: { signal: AbortSignal }): Promise<string[]> => {
        started.resolve(signal)
        const { promise: aborted, reject } = Promise.withResolvers<never>()
        signal.addEventListener('abort', () => reject(signal.reason))
        await Promise.race([gate.promise, aborted])
        return keys.map((key) => `loaded ${key}`)
      }
      const leaving = new AbortController()
      const several = cache.getMany(['a', 'b'], load, { signal: leaving.signal })
      const signal = await started.promise
      const other = cache.get('b', () => 'loaded alone')
      await vi.waitFor(() => expect(cache.statistics().waits).toBe(1), waits)
      leaving.abort(new Error('gone'))
      await expect(several).rejects.toThrow('gone')
      expect(signal.aborted).toBe(false)
      gate.resolve()
      expect(await other).toBe('loaded b')
    },
  },
  {
    name: 'peek waits for nothing: it gives what this process holds, until it is invalidated',
    async run(open) {
      const cache = await open({ localWindow: '1m' })
      expect(cache.peek('k')).toBeUndefined()
      await vi.waitFor(async () => {
        await cache.get('k', () => 'v', { tags: ['t'] })
        expect(cache.peek('k')).toBe('v')
      }, waits)
      await cache.invalidate('t')
      expect(cache.peek('k')).toBeUndefined()
    },
  },
  {
    name: 'while it is bypassed nothing is served and nothing is kept',
    async run(open) {
      let bypass = false
      const cache = await open({ bypass: () => bypass })
      const { load } = counting()
      expect(await cache.get('k', load)).toBe(1)
      bypass = true
      expect(await cache.get('k', load)).toBe(2)
      expect(cache.peek('k')).toBeUndefined()
      bypass = false
      expect(await cache.get('k', load)).toBe(1)
    },
  },
  {
    name: 'reads, loads, waits, bumps and evictions are events, with their tags',
    async run(open) {
      const cache = await open({ local: { maxEntries: 1 } })
      const { load } = counting()
      const tags = ['t']
      const seen = await eventsOf(async () => {
        await Promise.all([cache.get('k', load, { tags }), cache.get('k', load, { tags })])
        await cache.get('k', load, { tags })
        await cache.get('l', load, { tags })
        await cache.invalidate('t')
      })
      const about = { key: 'k', tags }
      expect(seen).toEqual(
        expect.arrayContaining([
          expect.objectContaining({ type: 'cache.miss', ...about }),
          expect.objectContaining({ type: 'cache.load', outcome: 'filled', ...about }),
          expect.objectContaining({ type: 'cache.wait', ...about }),
          expect.objectContaining({ type: 'cache.hit', stale: false, ...about }),
          expect.objectContaining({ type: 'cache.evict', ...about }),
          expect.objectContaining({ type: 'cache.bump', outcome: 'done', tags }),
        ]),
      )
    },
  },
  {
    name: 'keys and tags can be any text',
    async run(open) {
      const cache = await open()
      const texts = ['', ' ', 'a b', 'a\r\nb', '{x}', '}{', 'ключ', '\u0000', 'x'.repeat(5000), '*', '__proto__']
      for (const text of texts) {
        expect(await cache.get(text, () => text, { tags: [text] })).toBe(text)
        expect(await cache.get(text, () => 'another', { tags: [text] })).toBe(text)
        await cache.invalidate(text)
        expect(await cache.get(text, () => 'another', { tags: [text] })).toBe('another')
      }
    },
  },
  {
    name: 'keys and tags that are no texts are refused, not ignored',
    async run(open) {
      const cache = await open()
      await cache.get('k', () => 'kept', { tags: ['t'] })
      const refused = { code: 'PLIMSOLL_OPTION_INVALID' }
      await expect(cache.invalidate(['t'] as never)).rejects.toMatchObject(refused)
      await expect(cache.delete(['k'] as never)).rejects.toMatchObject(refused)
      await expect(cache.get(undefined as never, () => 1)).rejects.toMatchObject(refused)
      await expect(cache.get('k', () => 1, { tags: 't' as never })).rejects.toMatchObject(refused)
      expect(await cache.get('k', () => 'loaded', { tags: ['t'] })).toBe('kept')
    },
  },
  {
    name: 'after close it refuses to work',
    async run(open) {
      const cache = await open()
      await cache.close()
      await expect(cache.get('k', () => 1)).rejects.toMatchObject({ code: 'PLIMSOLL_CACHE_CLOSED' })
      await cache.close()
    },
  },
]
