import { spawn } from 'node:child_process'
import { createServer } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, inject, onTestFinished, test, vi } from 'vitest'
import { observe, type PlimsollEvent } from '../../src/core/events.ts'
import type { CacheStore, StoreObserver } from '../../src/cache/contract.ts'
import { createKetama } from '../../src/cache/drivers/memcached/ketama.ts'
import { memcachedStore } from '../../src/cache/drivers/memcached/memcached-store.ts'
import type { MemcachedOptions } from '../../src/cache/drivers/memcached/options.ts'
import { startMemcached, type MemcachedServer } from '../servers/memcached.ts'
import { Wire } from '../servers/wire.ts'

const forever = { timeout: 20_000, interval: 10 }
const unreachable = { code: 'PLIMSOLL_CACHE_UNREACHABLE' }
const generation = 'g'.repeat(16)
const hour = 3_600_000

let counter = 0
const unique = (): string => String(++counter)
const token = (name: string): string => name.padEnd(16, '-')
const entry = (payload: string | Buffer, by = 'put'): Buffer =>
  Buffer.concat([Buffer.from(generation + token(by)), Buffer.from(payload)])

interface Observer extends StoreObserver {
  readonly rejoin: ReturnType<typeof vi.fn<StoreObserver['rejoin']>>
}

const observer = (rejoin: StoreObserver['rejoin'] = async () => {}): Observer => ({
  bumped: vi.fn<StoreObserver['bumped']>(),
  removed: vi.fn<StoreObserver['removed']>(),
  lost: vi.fn<StoreObserver['lost']>(),
  rejoin: vi.fn<StoreObserver['rejoin']>(rejoin),
})

/** A store in a namespace of the test's own, closed when it ends. A patient one, where the test is not about time-outs. */
function open(url: string, options: MemcachedOptions = {}, watcher: StoreObserver = observer()): CacheStore {
  const store = memcachedStore({ url }, { namespace: `test ${process.pid} ${unique()}`, timeout: '10s', ...options })
  onTestFinished(() => store.close())
  store.attach(watcher)
  return store
}

const put = (store: CacheStore, key: string, bytes: Buffer, ttlMs = hour): Promise<void> =>
  store.put([{ key, bytes, ttlMs }])
const get = async (store: CacheStore, key: string): Promise<Buffer | undefined> =>
  (await store.read([key], [])).entries[0]?.bytes

describe.runIf(inject('memcachedUrl'))('a store on Memcached', () => {
  const url = inject('memcachedUrl')

  test('keeps every key apart, whatever is in it', async () => {
    const store = open(url)
    const short = ['', ' ', 'a', 'A', 'a b', 'a\r\nflush_all\r\n', '\0', '\n', 'v', 'e:a', '%20']
    const unicode = ['ä', 'a\u0308', '😀', '\ud800', '\ud801', '\ufffd']
    const long = ['x'.repeat(200), 'x'.repeat(250), 'x'.repeat(5000), 'ä'.repeat(120), 'ä'.repeat(121)]
    const keys = [...short, ...unicode, ...long]
    await store.put(keys.map((key, n) => ({ key, bytes: entry(String(n)), ttlMs: hour })))
    const { entries } = await store.read(keys, [])
    expect(entries.map((found) => found?.bytes.toString())).toEqual(keys.map((_, n) => entry(String(n)).toString()))
    const versions = await store.createVersions(keys)
    expect(new Set(versions).size).toBe(keys.length)
    await store.delete(keys.slice(1))
    const left = await store.read(keys, keys)
    expect(left.entries.map((found) => found !== undefined)).toEqual(keys.map((_, n) => n === 0))
    expect(left.versions).toEqual(versions)
  })

  test('keeps values of any bytes', async () => {
    const store = open(url)
    const bytes = Buffer.from(Array.from({ length: 70_000 }, (_, n) => (n * 7) % 256))
    for (const payload of ['', '\r\n', 'EN\r\n', 'VA 3\r\nabc\r\nHD\r\n', bytes.subarray(0, 300), bytes]) {
      await put(store, 'k', entry(payload))
      expect(await get(store, 'k')).toEqual(entry(payload))
    }
  })

  test('answers thousands of questions at once, each with its own answer', async () => {
    const store = open(url)
    const keys = Array.from({ length: 3000 }, (_, n) => `key ${n}`)
    const bytes = (n: number): Buffer => entry(`${n}`.repeat(n % 100 === 0 ? 20_000 : (n * 37) % 300))
    await Promise.all(keys.map((key, n) => put(store, key, bytes(n))))
    const found = await Promise.all(keys.map((key) => get(store, key)))
    expect(found.every((value, n) => value?.equals(bytes(n)))).toBe(true)
  })

  test('tells how long an entry has left, to a second', async () => {
    const store = open(url)
    await put(store, 'k', entry(''), 60_500)
    const { entries } = await store.read(['k', 'none'], [], { ages: true })
    expect(entries[0]!.remainingMs).toBeGreaterThan(55_000)
    expect(entries[0]!.remainingMs).toBeLessThanOrEqual(60_500)
    expect((await store.read(['k'], [])).entries[0]!.remainingMs).toBeUndefined()
  })

  test('keeps an entry of more than 30 days for 30 days, and drops a short one soon after its time', async () => {
    const store = open(url)
    await put(store, 'long', entry(''), 400 * 24 * hour)
    await put(store, 'short', entry(''), 1)
    const [long] = (await store.read(['long'], [], { ages: true })).entries
    expect(long!.remainingMs).toBeGreaterThan(29 * 24 * hour)
    await vi.waitFor(async () => expect(await get(store, 'short')).toBeUndefined(), forever)
    expect(await get(store, 'long')).toBeDefined()
  })

  test('keeps a version that is read for as long again', async () => {
    const store = open(url, { versionTtl: 1 })
    const versions = await store.createVersions(['read', 'unread'])
    const began = performance.now()
    await vi.waitFor(async () => {
      expect((await store.read([], ['read'])).versions).toEqual([versions[0]])
      expect(performance.now() - began).toBeGreaterThan(3000)
    }, forever)
    expect((await store.read([], ['unread'])).versions).toEqual([undefined])
  })

  test('refuses a fill when the entry was replaced or deleted since the lease was won', async () => {
    const store = open(url)
    const ask = (key: string, by: string) => store.acquire({ key, generation, token: token(by), leaseMs: 30_000 })
    for (const [name, meddle] of [
      ['put', (key: string) => put(store, key, entry('by hand'))],
      ['delete', (key: string) => store.delete([key])],
    ] as const) {
      expect(await ask(name, 'a')).toEqual({ state: 'won' })
      await meddle(name)
      expect(await store.fill(name, { token: token('a'), bytes: entry('old', 'a'), ttlMs: hour })).toBe(false)
      expect((await get(store, name))?.toString()).toBe(name === 'put' ? entry('by hand').toString() : undefined)
    }
  })

  test('never leaves what was loaded before a delete, however the two race', async () => {
    const [one, two] = [open(url, { namespace: 'races' }), open(url, { namespace: 'races' })]
    const outcomes = await Promise.all(
      Array.from({ length: 500 }, async (_, n) => {
        const key = `${process.pid} ${n}`
        await one.acquire({ key, generation, token: token('a'), leaseMs: 30_000 })
        const fill = one.fill(key, { token: token('a'), bytes: entry('old', 'a'), ttlMs: hour })
        for (let turns = n % 7; turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve))
        const filled = await Promise.all([fill, two.delete([key])])
        return { filled: filled[0], left: await get(two, key) }
      }),
    )
    expect(outcomes.filter(({ left }) => left !== undefined)).toEqual([])
  })

  test('gives a lease to one of many that ask for it, over any number of connections', async () => {
    const stores = Array.from({ length: 5 }, () => open(url, { namespace: `leases ${process.pid}` }))
    for (let round = 0; round < 20; round++) {
      const key = `key ${round}`
      const answers = await Promise.all(
        Array.from({ length: 100 }, (_, n) =>
          stores[n % 5]!.acquire({ key, generation, token: token(`${n}`), leaseMs: 30_000 }),
        ),
      )
      expect(answers.filter(({ state }) => state === 'won')).toHaveLength(1)
      expect(answers.filter(({ state }) => state === 'taken')).toHaveLength(99)
      // Of another generation, one takes it over.
      const others = await Promise.all(
        Array.from({ length: 50 }, (_, n) =>
          stores[n % 5]!.acquire({ key, generation: 'h'.repeat(16), token: token(`h${n}`), leaseMs: 30_000 }),
        ),
      )
      expect(others.filter(({ state }) => state === 'won')).toHaveLength(1)
      const winner = answers.findIndex(({ state }) => state === 'won')
      const late = { token: token(`${winner}`), bytes: entry('late', `${winner}`), ttlMs: hour }
      expect(await stores[0]!.fill(key, late)).toBe(false)
    }
  })

  test('refuses a value of more than 1 MiB, and says how to keep it all the same', async () => {
    const store = open(url)
    const most = store.features.maxEntryBytes
    await put(store, 'x'.repeat(250), entry(Buffer.alloc(most - 32)))
    expect(await get(store, 'x'.repeat(250))).toHaveLength(most)
    await expect(put(store, 'k', entry(Buffer.alloc(most - 31)))).rejects.toMatchObject({
      code: 'PLIMSOLL_CACHE_VALUE_TOO_LARGE',
      message: expect.stringMatching(new RegExp(`'k' takes ${most + 1} bytes; .* ${most}\\. .*split=true`)),
      details: { key: 'k', bytes: most + 1, limit: most },
    })
    await store.acquire({ key: 'f', generation, token: token('a'), leaseMs: 1000 })
    await expect(
      store.fill('f', { token: token('a'), bytes: entry(Buffer.alloc(most)), ttlMs: hour }),
    ).rejects.toMatchObject({ code: 'PLIMSOLL_CACHE_VALUE_TOO_LARGE' })
  })

  test('refuses a value that the server finds too large', async () => {
    const small = (await startMemcached({ settings: ['-I', '64k', '-o', 'slab_chunk_max=32768'] }))!
    onTestFinished(small.stop)
    const store = open(small.url)
    const large = entry(Buffer.alloc(100_000))
    await put(store, 'k', entry('before'))
    await expect(put(store, 'k', large)).rejects.toMatchObject({ code: 'PLIMSOLL_CACHE_VALUE_TOO_LARGE' })
    expect(await get(store, 'k')).toBeUndefined()
    await store.acquire({ key: 'f', generation, token: token('a'), leaseMs: 1000 })
    const fill = store.fill('f', { token: token('a'), bytes: large, ttlMs: hour })
    await expect(fill).rejects.toThrow('the server')
  })

  test('ends with the work that is under way done, and refuses what comes later', async () => {
    const store = open(url)
    const [tag, key] = ['tag', 'key']
    const [before] = await store.createVersions([tag])
    await store.acquire({ key, generation, token: token('a'), leaseMs: 30_000 })
    const work = Promise.all([
      store.bump([tag]),
      store.fill(key, { token: token('a'), bytes: entry('done', 'a'), ttlMs: hour }),
    ])
    await store.close()
    expect((await work)[1]).toBe(true)
    expect(before).toBeTypeOf('string')
    await expect(store.read([key], [tag])).rejects.toMatchObject({ code: 'PLIMSOLL_CACHE_CLOSED' })
    await expect(store.bump([tag])).rejects.toMatchObject({ code: 'PLIMSOLL_CACHE_CLOSED' })
  })
})

describe.runIf(inject('memcachedUrl'))('values that are split', () => {
  // Apart from the one that other test files use, whose entries these would push out.
  let url: string
  beforeAll(async () => {
    const server = (await startMemcached({ megabytes: 256 }))!
    url = server.url
    return server.stop
  })
  const large = (fill: string): Buffer => entry(Buffer.alloc(3_000_000, fill))

  test('come back as they were, and are found by who may not split', async () => {
    const namespace = `split ${unique()}`
    const store = open(url, { namespace, split: true })
    await store.put([
      { key: 'a', bytes: large('a'), ttlMs: hour },
      { key: 'small', bytes: entry('small'), ttlMs: hour },
      { key: 'b', bytes: large('b'), ttlMs: hour },
    ])
    for (const reader of [store, open(url, { namespace })]) {
      const { entries } = await reader.read(['a', 'none', 'small', 'b'], [], { ages: true })
      const expected = [large('a'), undefined, entry('small'), large('b')]
      expect(entries.map((found, n) => found?.bytes.equals(expected[n]!))).toEqual([true, undefined, true, true])
      expect(entries[0]!.remainingMs).toBeGreaterThan(hour - 5000)
    }
    const most = store.features.maxEntryBytes
    await expect(put(store, 'k', Buffer.alloc(most + 1))).rejects.toMatchObject({
      code: 'PLIMSOLL_CACHE_VALUE_TOO_LARGE',
      message: expect.not.stringContaining('split'),
    })
  })

  test('are filled under a lease, and found by who asks for it', async () => {
    const store = open(url, { split: true })
    const ask = (by: string) => store.acquire({ key: 'k', generation, token: token(by), leaseMs: 30_000 })
    expect(await ask('a')).toEqual({ state: 'won' })
    const bytes = Buffer.concat([entry('', 'a'), Buffer.alloc(2_000_000, 'x')])
    expect(await store.fill('k', { token: token('a'), bytes, ttlMs: hour })).toBe(true)
    const answer = await ask('b')
    expect(answer.state === 'filled' && answer.entry.bytes.equals(bytes)).toBe(true)
    await store.delete(['k'])
    expect(await store.fill('k', { token: token('a'), bytes, ttlMs: hour })).toBe(false)
    expect(await get(store, 'k')).toBeUndefined()
  })

  test('are never mixed, while several write them', async () => {
    const namespace = `mix ${unique()}`
    const stores = [1, 2, 3].map(() => open(url, { namespace, split: true }))
    await put(stores[0]!, 'k', large('-'))
    let writing = true
    const seen: string[] = []
    const reads = (async () => {
      // oxlint-disable-next-line no-unmodified-loop-condition -- ends when the writers do
      while (writing) {
        const found = await get(stores[0]!, 'k')
        if (found !== undefined) seen.push([...new Set(found.subarray(32).toString('latin1'))].join(''))
      }
    })()
    await Promise.all(
      stores.map(async (store, n) => {
        for (let round = 0; round < 10; round++) await put(store, 'k', large(String(n)))
      }),
    )
    writing = false
    await reads
    expect(seen.length).toBeGreaterThan(0)
    expect(seen.filter((letters) => letters.length !== 1)).toEqual([])
  })

  test('are missed when the server has evicted a part of them, and can be loaded anew', async () => {
    const tiny = (await startMemcached({ megabytes: 8 }))!
    onTestFinished(tiny.stop)
    const store = open(tiny.url, { split: true })
    const keys = Array.from({ length: 12 }, (_, n) => `key ${n}`)
    for (const key of keys) await put(store, key, large(key.at(-1)!))
    const { entries } = await store.read(keys, [])
    const missing = keys.filter((_, n) => entries[n] === undefined)
    expect(missing.length).toBeGreaterThan(0)
    for (const [n, found] of entries.entries()) {
      if (found !== undefined) expect(found.bytes.equals(large(keys[n]!.at(-1)!))).toBe(true)
    }
    const [key] = missing as [string]
    const ask = { key, generation, token: token('a'), leaseMs: 30_000 }
    expect(await store.acquire(ask)).toEqual({ state: 'won' })
    const bytes = Buffer.concat([entry('', 'a'), Buffer.alloc(2_000_000, 'x')])
    expect(await store.fill(key, { token: token('a'), bytes, ttlMs: hour })).toBe(true)
    expect(await get(store, key)).toEqual(bytes)
  })
})

describe.runIf(inject('memcachedUrl'))('several Memcached servers', () => {
  let servers: MemcachedServer[]
  let url: string
  beforeAll(async () => {
    servers = await Promise.all([1, 2, 3].map(async () => (await startMemcached())!))
    url = `memcached://${servers.map(({ port }) => `127.0.0.1:${port}`).join(',')}`
  })
  afterAll(() => Promise.all(servers.map((server) => server.stop())))
  beforeEach(() => {
    for (const server of servers) server.resume()
  })

  const names = Array.from({ length: 60 }, (_, n) => `name ${n}`)
  /** The names of each server. */
  const shares = (): string[][] => {
    const pick = createKetama(servers.map(({ port }) => ({ name: `127.0.0.1:${port}` })))
    const by = servers.map((): string[] => [])
    for (const name of names) by[pick(name)]!.push(name)
    return by
  }
  const fillAll = async (store: CacheStore): Promise<(string | null)[]> => {
    await store.put(names.map((key) => ({ key, bytes: entry(key), ttlMs: hour })))
    return store.createVersions(names)
  }

  test('share the keys and the tags between them', async () => {
    const store = open(url)
    const versions = await fillAll(store)
    expect(new Set(versions).size).toBe(names.length)
    const { entries, versions: found } = await store.read(names, names)
    expect(entries.map((value) => value?.bytes.subarray(32).toString())).toEqual(names)
    expect(found).toEqual(versions)
    expect(shares().every((share) => share.length > 5)).toBe(true)
    // Each of them alone has its share and no more.
    const namespace = `alone ${unique()}`
    await fillAll(open(url, { namespace }))
    for (const [n, { url: own }] of servers.entries()) {
      const alone = await open(own, { namespace }).read(names, [])
      expect(names.filter((_, at) => alone.entries[at] !== undefined)).toEqual(shares()[n])
    }
  })

  test('go on when one is down; its keys are nowhere else, and its tags have no version', async () => {
    const watcher = observer()
    const store = open(url, {}, watcher)
    await fillAll(store)
    const [, lost] = shares() as [string[], string[]]
    const namespaceKeys = names.filter((name) => !lost.includes(name))
    await servers[1]!.stop()
    await vi.waitFor(async () => {
      const { entries, versions } = await store.read(names, names)
      expect(names.filter((_, n) => entries[n] === undefined)).toEqual(lost)
      expect(names.filter((_, n) => versions[n] === null)).toEqual(lost)
      expect(names.filter((_, n) => typeof versions[n] === 'string')).toEqual(namespaceKeys)
    }, forever)
    const [key] = lost as [string]
    const ask = { key, generation, token: token('a'), leaseMs: 1000 }
    await expect(store.acquire(ask)).rejects.toMatchObject(unreachable)
    await expect(store.renew(key, token('a'), 1000)).rejects.toMatchObject(unreachable)
    await expect(store.fill(key, { token: token('a'), bytes: entry(''), ttlMs: 1 })).rejects.toMatchObject(unreachable)
    await expect(store.release(key, token('a'))).rejects.toMatchObject(unreachable)
    await expect(store.put([{ key, bytes: entry(''), ttlMs: 1 }])).rejects.toMatchObject(unreachable)
    expect((await store.createVersions(names)).filter((version) => version === null)).toHaveLength(lost.length)
    await expect(store.delete(names)).rejects.toMatchObject({ ...unreachable, details: { keys: lost } })
    expect((await store.read(names, [])).entries.every((value) => value === undefined)).toBe(true)
    expect(watcher.rejoin).not.toHaveBeenCalled()

    const before = await store.read([], names)
    await expect(store.bump(names)).rejects.toMatchObject({
      ...unreachable,
      message: expect.stringContaining(`:${servers[1]!.port}`),
      details: { tags: lost },
    })
    const after = await store.read([], names)
    expect(names.filter((_, n) => after.versions[n] === before.versions[n])).toEqual(lost)

    await servers[1]!.restart()
    await vi.waitFor(async () => {
      expect((await store.read([], names)).versions.filter((version) => version === undefined)).toHaveLength(
        lost.length,
      )
    }, forever)
    expect(watcher.rejoin).toHaveBeenCalledTimes(1)
    expect(watcher.bumped).not.toHaveBeenCalled()
    expect(watcher.removed).not.toHaveBeenCalled()
  })

  test('one that does not answer costs one time-out, and is not used again before what it missed is made good', async () => {
    const gate = Promise.withResolvers<void>()
    const pending = new Set<string>()
    const watcher = observer(async (way) => {
      await gate.promise
      await way.bump([...pending])
    })
    const store = open(url, { timeout: '1s' }, watcher)
    const versions = await fillAll(store)
    const [, , lost] = shares() as [string[], string[], string[]]
    servers[2]!.pause()
    const began = performance.now()
    await expect(store.bump(lost)).rejects.toMatchObject({ ...unreachable, details: { tags: lost } })
    for (const tag of lost) pending.add(tag)
    // What follows is refused at once: a thousand time-outs of a second would take a quarter of an hour.
    for (let n = 0; n < 1000; n++) await expect(store.bump([lost[0]!])).rejects.toMatchObject(unreachable)
    expect(performance.now() - began).toBeLessThan(10_000)
    const others = names.filter((name) => !lost.includes(name))
    expect((await store.read(others, [])).entries.every((found) => found !== undefined)).toBe(true)

    servers[2]!.resume()
    await vi.waitFor(() => expect(watcher.rejoin).toHaveBeenCalled(), forever)
    expect((await store.read([], lost)).versions).toEqual(lost.map(() => null))
    gate.resolve()
    await vi.waitFor(async () => expect((await store.read([], lost)).versions[0]).toBeTypeOf('string'), forever)
    const after = await store.read([], lost)
    expect(lost.filter((name, n) => after.versions[n] === versions[names.indexOf(name)])).toEqual([])
  })

  test('two that come back together each get what they missed', async () => {
    const [first, second] = shares() as [string[], string[]]
    const pending = { tags: new Set<string>(), keys: new Set<string>() }
    const watcher = observer(async (way) => {
      const tags = [...pending.tags]
      pending.tags.clear()
      await way.bump(tags).catch((error: { details: { tags: string[] } }) => {
        for (const tag of error.details.tags) pending.tags.add(tag)
      })
      const keys = [...pending.keys]
      await way.delete(keys)
      for (const key of keys) pending.keys.delete(key)
    })
    const store = open(url, { timeout: '1s' }, watcher)
    const versions = await fillAll(store)
    for (const server of servers.slice(0, 2)) server.pause()
    const both = [...first, ...second]
    await expect(store.bump(both)).rejects.toMatchObject({ details: { tags: expect.toSatisfy(sameAs(both)) } })
    for (const name of both) {
      pending.tags.add(name)
      pending.keys.add(name)
    }
    for (const server of servers.slice(0, 2)) server.resume()
    await vi.waitFor(async () => {
      const { versions: found } = await store.read([], both)
      expect(found.filter((version) => version === null)).toEqual([])
    }, forever)
    const { versions: found, entries } = await store.read(both, both)
    expect(both.filter((name, n) => found[n] === versions[names.indexOf(name)])).toEqual([])
    expect(entries.every((value) => value === undefined)).toBe(true)
  })

  test('one stays away for as long as what it missed cannot be made good', async () => {
    let refusals = 0
    const watcher = observer(async () => {
      if (++refusals <= 2) throw new Error('not yet')
    })
    const store = open(url, { timeout: '1s' }, watcher)
    const [lost] = shares() as [string[]]
    await store.read(names, names)
    servers[0]!.pause()
    await expect(store.bump(lost)).rejects.toMatchObject(unreachable)
    servers[0]!.resume()
    await vi.waitFor(async () => {
      const { versions } = await store.read([], lost)
      const reached = versions[0] !== null
      expect(reached).toBe(refusals > 2)
      expect(reached).toBe(true)
    }, forever)
    expect(refusals).toBe(3)
  })

  test('one that is away from the start is found when it comes', async () => {
    const seen: PlimsollEvent[] = []
    onTestFinished(observe((event) => seen.push(event)))
    await servers[0]!.stop()
    const watcher = observer()
    const store = open(url, {}, watcher)
    const [lost, there] = shares() as [string[], string[]]
    const { versions } = await store.read([], [lost[0]!, there[0]!])
    expect(versions).toEqual([null, undefined])
    await servers[0]!.restart()
    await vi.waitFor(async () => expect((await store.read([], lost)).versions[0]).toBeUndefined(), forever)
    expect(watcher.rejoin).toHaveBeenCalledTimes(1)
    const server = `127.0.0.1:${servers[0]!.port}`
    const states = seen.filter((event) => event.type === 'cache.state' && event.server === server)
    expect(states).toMatchObject([
      { engine: 'memcached', state: 'down', error: expect.stringContaining('ECONNREFUSED') },
      { engine: 'memcached', state: 'up' },
    ])
  })
})

describe.runIf(inject('memcachedUrl'))('a wire to Memcached that is cut', () => {
  const setup = async (options: MemcachedOptions = {}): Promise<{ store: CacheStore; wire: Wire }> => {
    const wire = new Wire(inject('memcachedUrl'))
    await wire.join()
    onTestFinished(() => wire.cut())
    return { store: open(wire.url, options), wire }
  }
  const back = (store: CacheStore): Promise<void> =>
    vi.waitFor(async () => expect((await store.read([], ['t'])).versions).not.toEqual([null]), forever)

  test('within an answer leaves nobody half a value, nor the answer of another question', async () => {
    const { store, wire } = await setup({ timeout: '2s' })
    const keys = Array.from({ length: 40 }, (_, n) => `key ${n}`)
    const bytes = (n: number): Buffer => entry(`${n} `.repeat(50 + n * 20))
    await store.put(keys.map((key, n) => ({ key, bytes: bytes(n), ttlMs: hour })))
    const total = keys.reduce((sum, _, n) => sum + bytes(n).length + 12, 0)
    let cut = 0
    for (let within = 1; within < total; within += 1 + Math.floor(total / 25)) {
      await back(store)
      wire.cutWithin(within)
      const found = await Promise.all(keys.map((key) => get(store, key)))
      for (const [n, value] of found.entries()) {
        if (value === undefined) cut++
        else expect(value.equals(bytes(n)), keys[n]).toBe(true)
      }
    }
    expect(cut).toBeGreaterThan(keys.length)
    await back(store)
    expect(await get(store, keys[7]!)).toEqual(bytes(7))
  })

  test('without a word is found by the time-out, and replaced', async () => {
    const { store, wire } = await setup({ timeout: '100ms' })
    await put(store, 'k', entry('there'))
    wire.goDead()
    await expect(put(store, 'k', entry('lost'))).rejects.toMatchObject(unreachable)
    wire.comeBack()
    await back(store)
    expect(await get(store, 'k')).toEqual(entry('there'))
  })

  test('and cut again goes on each time the server can be reached', async () => {
    const { store, wire } = await setup()
    for (let round = 0; round < 5; round++) {
      wire.drop()
      await vi.waitFor(async () => {
        await put(store, 'k', entry(String(round)))
        expect(await get(store, 'k')).toEqual(entry(String(round)))
      }, forever)
    }
  })

  test('to a server that speaks another protocol is refused with a reason', async () => {
    const server = createServer((socket) => socket.on('error', () => {}).end('HTTP/1.1 400 Bad Request\r\n\r\n'))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void server.close())
    const store = open(`memcached://127.0.0.1:${(server.address() as { port: number }).port}`)
    await expect(store.bump(['t'])).rejects.toMatchObject({
      ...unreachable,
      message: expect.stringContaining('HTTP/1.1 400'),
    })
  })
})

describe.runIf(inject('memcachedUrl'))('a process with an open store', () => {
  test('ends by itself when there is nothing left to do', async () => {
    const script = `
      import { memcachedStore } from ${JSON.stringify(new URL('../../src/cache/drivers/memcached/memcached-store.ts', import.meta.url).href)}
      const store = memcachedStore({ url: process.argv[1] }, { namespace: 'process', timeout: '10s' })
      const { versions } = await store.read(['k'], ['t'])
      if (versions[0] === null) process.exit(1)`
    const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', script, inject('memcachedUrl')], {
      stdio: 'inherit',
    })
    expect(await new Promise((resolve) => child.once('exit', resolve))).toBe(0)
  })
})

function sameAs(names: readonly string[]): (found: readonly string[]) => boolean {
  return (found) => found.toSorted().join('\n') === names.toSorted().join('\n')
}
