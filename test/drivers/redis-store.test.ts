import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, onTestFinished, test } from 'vitest'
import type { CacheStore, StoreObserver } from '../../src/cache/contract.ts'
import { redisStore, type RedisStoreOptions } from '../../src/cache/drivers/redis/redis-store.ts'
import { observe, type PlimsollEvent } from '../../src/core/events.ts'
import { startRedis, type RedisServer } from '../servers/redis.ts'
import { ask, bytesOf, entryOf, fillKey, observerOf, stateOf, unique, versionOf } from './cache-store.ts'

const run = promisify(execFile)
const unreachable = { code: 'PLIMSOLL_CACHE_UNREACHABLE' }

async function open(
  url: string,
  observer: Partial<StoreObserver> = {},
  options: RedisStoreOptions = {},
): Promise<CacheStore> {
  const store = await redisStore({ url }, { timeout: '1s', ...options })
  onTestFinished(() => store.close())
  store.attach(observerOf(observer))
  return store
}

/** Resolves when the store answers. */
async function up(store: CacheStore): Promise<void> {
  await expect.poll(() => store.read([], ['up']).then(Boolean, () => false), { interval: 20 }).toBe(true)
}

describe.runIf(inject('redisUrl'))('the Redis store, when its server', () => {
  let server: RedisServer
  let admin: Redis
  const events: PlimsollEvent[] = []
  let stopObserving = (): void => {}

  beforeAll(async () => {
    server = (await startRedis())!
    admin = new Redis({ port: server.port, retryStrategy: () => 20 })
    admin.on('error', () => {})
  })
  afterAll(async () => {
    admin.disconnect()
    await server.stop()
  })
  beforeEach(() => {
    events.length = 0
    stopObserving = observe((event) => events.push(event))
  })
  afterEach(() => stopObserving())
  const states = () => events.flatMap((event) => (event.type === 'cache.state' ? [event.state] : []))

  test('comes up with an old snapshot, revives neither its versions nor its entries', async () => {
    const store = await open(server.url)
    const [key, tag] = [unique(), unique()]
    const old = await versionOf(store, tag)
    const bytes = await fillKey(store, key)
    const raw = await admin.get(`plimsoll:v:${tag}`)
    await admin.save()
    await store.bump([tag])
    await server.crash()
    await server.restart()
    await up(store)
    expect(await admin.get(`plimsoll:v:${tag}`), 'the snapshot has the old version').toBe(raw)
    expect(await bytesOf(store, key), 'and the old entry').toEqual(bytes)
    const [now] = (await store.read([], [tag])).versions
    expect(now).not.toBe(old)
    expect(await store.createVersions([tag])).toEqual([now])
    const other = await open(server.url)
    expect((await other.read([], [tag])).versions, 'for every process').toEqual([now])
  })

  test('does not answer, costs one time-out; later calls fail at once, until it answers', async () => {
    let lost = 0
    const store = await open(server.url, { lost: () => void lost++ }, { timeout: '150ms' })
    await expect.poll(() => store.isCurrent(performance.now())).toBe(true)
    server.pause()
    onTestFinished(() => server.resume())
    const calls = [() => store.read(['a'], ['b']), () => store.acquire(ask('a')), () => store.bump(['b'])]
    const first = await Promise.allSettled(calls.map((call) => call()))
    expect(first.map((result) => result.status === 'rejected' && (result.reason as object))).toEqual(
      calls.map(() => expect.objectContaining(unreachable)),
    )
    expect(lost).toBe(1)
    expect(store.isCurrent(performance.now())).toBe(false)
    let settled = false
    const later = store.read(['a'], []).catch((error: unknown) => error)
    void later.then(() => (settled = true))
    await new Promise((resolve) => setImmediate(resolve))
    expect(settled, 'without waiting for anything').toBe(true)
    expect(await later).toMatchObject({ ...unreachable, message: expect.stringContaining(`127.0.0.1:${server.port}`) })
    server.resume()
    await up(store)
    await expect.poll(() => store.isCurrent(performance.now())).toBe(true)
    expect(states()).toEqual(['up', 'down', 'up'])
  })

  test('is silent, is noticed without a call', async () => {
    let lost = 0
    const store = await open(server.url, { lost: () => void lost++ })
    server.pause()
    onTestFinished(() => server.resume())
    await expect.poll(() => lost).toBe(1)
    server.resume()
    await up(store)
  })

  test('is back after an outage, is used only when what is pending has been bumped and deleted', async () => {
    const tries: string[] = []
    const [tag, key] = [unique(), unique()]
    let old = ''
    const store: CacheStore = await open(server.url, {
      async rejoin(way) {
        tries.push(await store.read([], [tag]).then(String, (error: { code: string }) => error.code))
        if (tries.length === 1) throw new Error('Not yet.')
        await way.bump([tag])
        await way.delete([key])
      },
    })
    old = await versionOf(store, tag)
    await fillKey(store, key)
    expect(tries, 'nothing is pending when it is opened').toEqual([])
    await admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await expect.poll(() => tries).toEqual([unreachable.code, unreachable.code])
    await up(store)
    expect((await store.read([], [tag])).versions[0]).not.toBe(old)
    expect(await bytesOf(store, key)).toBeUndefined()
  })

  test('cannot be reached, tells which tags were not bumped', async () => {
    const store = await open(server.url)
    await server.crash()
    const tags = [unique(), unique()]
    await expect(store.bump(tags)).rejects.toMatchObject({ ...unreachable, details: { tags } })
    await server.restart()
    await up(store)
  })

  test('is not there at first, is used as soon as it is', async () => {
    await server.crash()
    let rejoined = 0
    const store = await open(server.url, { rejoin: async () => void rejoined++ })
    await expect(store.read(['a'], [])).rejects.toMatchObject({
      ...unreachable,
      message: expect.stringContaining('ECONNREFUSED'),
    })
    expect(store.isCurrent(performance.now())).toBe(false)
    await server.restart()
    await up(store)
    expect(rejoined, 'something may have been pending').toBe(1)
  })

  test('refuses a bump, is not used until it lets it pass', async () => {
    const tag = unique()
    const store: CacheStore = await open(server.url, { rejoin: (way) => way.bump([tag]) })
    const old = await versionOf(store, tag)
    const asked = ask(unique())
    expect(await stateOf(store, asked)).toBe('won')
    await admin.config('SET', 'maxmemory', '1')
    onTestFinished(async () => void (await admin.config('SET', 'maxmemory', '0')))
    await expect(store.acquire(ask(unique())), 'alone, that says nothing').rejects.toMatchObject(unreachable)
    expect(await store.read([], [tag])).toEqual({ entries: [], versions: [old] })
    const fill = { token: asked.token, bytes: entryOf(asked.generation, asked.token), ttlMs: 60_000 }
    await expect(store.fill(asked.key, fill)).rejects.toMatchObject(unreachable)
    expect(await store.renew(asked.key, asked.token, 60_000), 'nobody waits for what cannot be filled').toBe(false)
    await expect(store.bump([tag])).rejects.toMatchObject({
      ...unreachable,
      message: expect.stringContaining('OOM'),
      details: { tags: [tag] },
    })
    await expect(store.read([], [tag])).rejects.toMatchObject(unreachable)
    await admin.config('SET', 'maxmemory', '0')
    await up(store)
    expect((await store.read([], [tag])).versions[0]).not.toBe(old)
  })

  test('has become a replica, is not used until it is a master again', async () => {
    const store = await open(server.url)
    await admin.replicaof('127.0.0.1', 1)
    onTestFinished(async () => void (await admin.replicaof('NO', 'ONE')))
    await expect(store.bump([unique()])).rejects.toMatchObject(unreachable)
    await expect.poll(() => store.read([], ['a']).catch(String)).toMatch(/replica/)
    await admin.replicaof('NO', 'ONE')
    await up(store)
  })

  test('forgets its scripts, is told them again', async () => {
    const store = await open(server.url)
    await fillKey(store, unique())
    await admin.script('FLUSH')
    const key = unique()
    await fillKey(store, key)
    expect(await stateOf(store, ask(key))).toBe('filled')
    expect((await store.read([key], [], { ages: true })).entries[0]?.remainingMs).toBeGreaterThan(0)
  })

  test('is flushed, says so', async () => {
    let lost = 0
    const store = await open(server.url, { lost: () => void lost++ })
    await versionOf(store, 'a')
    await admin.flushall()
    await expect.poll(() => lost).toBe(1)
    expect((await store.read([], ['a'])).versions).toEqual([undefined])
  })

  test('lets a version expire, tells that it has ended', async () => {
    const bumped: string[] = []
    const store = await open(server.url, { bumped: (tags) => bumped.push(...tags) }, { versionTtl: '500ms' })
    const tag = unique()
    const version = await versionOf(store, tag)
    await expect.poll(async () => (await store.read([], [tag])).versions[0]).toBeUndefined()
    // Once when it was made, and once when it ended.
    await expect.poll(() => bumped.filter((each) => each === tag).length).toBeGreaterThan(1)
    expect(await versionOf(store, tag)).not.toBe(version)
  })

  test('is shared by two namespaces, keeps them apart', async () => {
    const one = await open(server.url, {}, { namespace: 'one' })
    const two = await open(`${server.url}?namespace=two`)
    const [key, tag] = [unique(), unique()]
    await fillKey(one, key)
    const version = await versionOf(one, tag)
    expect(await bytesOf(two, key)).toBeUndefined()
    expect((await two.read([], [tag])).versions).toEqual([undefined])
    await two.bump([tag])
    expect(await versionOf(one, tag)).toBe(version)
    expect((await admin.keys('*')).filter((name) => name.includes(key))).toEqual([`one:e:{${key}}`])
  })

  test('is given by a client, leaves that client alone', async () => {
    const client = new Redis({ port: server.port, keyPrefix: 'theirs:', db: 3 })
    onTestFinished(() => client.disconnect())
    const store = await redisStore({ client }, { timeout: '1s' })
    store.attach(observerOf())
    const key = unique()
    const bytes = await fillKey(store, key)
    expect(await bytesOf(store, key)).toEqual(bytes)
    await admin.select(3)
    expect(await admin.exists(`plimsoll:e:{${key}}`)).toBe(1)
    await admin.select(0)
    await store.close()
    expect(await client.set('a', 'b')).toBe('OK')
  })

  test.each([
    ['answers', () => {}, /^up$/],
    ['does not answer', () => server.pause(), /^down$/],
  ])('%s, does not keep a process alive that has nothing else to do', async (_, prepare, state) => {
    prepare()
    onTestFinished(() => server.resume())
    const program = `
      import { redisStore } from '${new URL('../../src/cache/drivers/redis/redis-store.ts', import.meta.url).href}'
      const store = await redisStore({ url: '${server.url}' })
      store.attach({ bumped() {}, removed() {}, lost() {}, async rejoin() {} })
      console.log(await store.read(['a'], ['b'], { ages: true }).then(() => 'up', () => 'down'))`
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', program])
    expect(stdout.trim()).toMatch(state)
  })

  test('is one server, is not taken for a cluster', async () => {
    await expect(redisStore({ url: `${server.url}?cluster=true` })).rejects.toMatchObject({
      code: 'PLIMSOLL_FEATURE_UNSUPPORTED',
      message: expect.stringMatching(/no cluster.*leave cluster=true out/),
    })
  })
})
