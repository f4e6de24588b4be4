import { Cluster, Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest'
import type { CacheStore, StoreObserver } from '../../src/cache/contract.ts'
import { KeyNames } from '../../src/cache/drivers/redis/key-names.ts'
import { redisStore } from '../../src/cache/drivers/redis/redis-store.ts'
import { slotOf } from '../../src/cache/drivers/redis/slot.ts'
import { startRedisCluster, type RedisCluster } from '../servers/redis-cluster.ts'
import { ask, bytesOf, fillKey, observerOf, oddTexts, stateOf, unique, versionOf } from './cache-store.ts'

const names = new KeyNames('plimsoll')
const unreachable = { code: 'PLIMSOLL_CACHE_UNREACHABLE' }

/** Which of three masters has a name, as the slots were given out. */
function masterOf(name: string): number {
  return Math.min(2, Math.floor((slotOf(name) * 3) / 16384))
}

/** A tag or a key on the given master. */
function uniqueOn(master: number, nameOf: (text: string) => string): string {
  for (;;) {
    const text = unique()
    if (masterOf(nameOf(text)) === master) return text
  }
}

describe.runIf(inject('redisUrl'))('the Redis store, on a cluster', () => {
  let cluster: RedisCluster
  beforeAll(async () => {
    cluster = (await startRedisCluster())!
  })
  afterAll(() => cluster.stop())

  const open = async (observer: Partial<StoreObserver> = {}): Promise<CacheStore> => {
    const store = await redisStore({ url: cluster.url }, { timeout: '1s' })
    onTestFinished(() => store.close())
    store.attach(observerOf(observer))
    return store
  }

  test('counts slots as the servers do, and has an entry and its lease in one', async () => {
    const admin = new Redis({ port: cluster.masters[0]!.port })
    onTestFinished(() => admin.disconnect())
    for (const text of [...oddTexts.filter((text) => text.isWellFormed()), ...oddTexts.map((_, n) => unique(`${n}`))]) {
      for (const name of [text, names.version(text), names.entry(text)]) {
        expect(slotOf(name)).toBe(await admin.cluster('KEYSLOT', name))
      }
      expect(slotOf(names.lease(text))).toBe(slotOf(names.entry(text)))
    }
  })

  test('uses every master', async () => {
    const store = await open()
    const tags = [0, 1, 2].map((master) => uniqueOn(master, (tag) => names.version(tag)))
    await store.bump(tags)
    for (const [n, { port }] of cluster.masters.entries()) {
      const admin = new Redis({ port })
      expect(await admin.exists(names.version(tags[n]!))).toBe(1)
      admin.disconnect()
    }
    const bumped: string[] = []
    await open({ bumped: (heard) => bumped.push(...heard) })
    await store.bump(tags)
    await expect.poll(() => tags.filter((tag) => !bumped.includes(tag))).toEqual([])
  })

  test('follows slots that move, with entries, leases and versions', async () => {
    let lost = 0
    const store = await open({ lost: () => void lost++ })
    const [key, tag] = [unique(), unique()]
    await store.createVersions([tag, unique()])
    for (const name of [names.entry(key), names.version(tag)]) {
      const admin = new Redis({ port: cluster.masters[masterOf(name)]!.port })
      await admin.unlink(name)
      admin.disconnect()
      await cluster.moveSlot(slotOf(name))
    }
    // The first command hears of the move and is sent on.
    const asked = ask(key)
    expect(await stateOf(store, asked)).toBe('won')
    await store.bump([tag])
    const version = await versionOf(store, tag)
    await store.bump([tag])
    expect(await versionOf(store, tag)).not.toBe(version)
    await store.release(key, asked.token)
    const bytes = await fillKey(store, key)
    expect(await bytesOf(store, key)).toEqual(bytes)
    expect(lost, 'copies from before the move are worth nothing').toBeGreaterThan(0)
  })

  test('goes on without a master that cannot be reached, but for what that one has', async () => {
    let pending: readonly string[] = []
    const store = await open({
      async rejoin(way) {
        await way.bump(pending)
        pending = []
      },
    })
    const [tagA, tagB] = [uniqueOn(0, (tag) => names.version(tag)), uniqueOn(1, (tag) => names.version(tag))]
    const [keyA, keyB] = [uniqueOn(0, (key) => names.entry(key)), uniqueOn(1, (key) => names.entry(key))]
    const [versionA, versionB] = await store.createVersions([tagA, tagB])
    const bytes = await fillKey(store, keyB)
    await fillKey(store, keyA)
    await cluster.masters[0]!.crash()
    await expect.poll(async () => (await store.read([keyA, keyB], [tagA, tagB])).versions[0]).toBeNull()
    const answer = await store.read([keyA, keyB], [tagA, tagB])
    expect(answer).toEqual({
      entries: [undefined, { bytes, remainingMs: undefined }],
      versions: [null, versionB],
    })
    expect(await store.createVersions([tagA, tagB])).toEqual([null, versionB])
    await expect(store.acquire(ask(keyA))).rejects.toMatchObject(unreachable)
    expect(await stateOf(store, ask(keyB))).toBe('filled')
    const failure = store.bump([tagA, tagB])
    await expect(failure).rejects.toMatchObject({ ...unreachable, details: { tags: [tagA] } })
    expect(await versionOf(store, tagB)).not.toBe(versionB)
    pending = [tagA]
    expect(store.isCurrent(performance.now())).toBe(false)
    await expect(store.delete([keyA, keyB])).rejects.toMatchObject({ ...unreachable, details: { keys: [keyA] } })
    expect(await bytesOf(store, keyB)).toBeUndefined()
    await cluster.masters[0]!.restart()
    await expect.poll(async () => (await store.read([], [tagA])).versions[0], { interval: 20 }).not.toBeNull()
    expect(pending, 'and nothing was read before they were bumped').toEqual([])
    const [now] = (await store.read([], [tagA])).versions
    expect(now).toEqual(expect.any(String))
    expect(now).not.toBe(versionA)
    await expect.poll(() => store.isCurrent(performance.now())).toBe(true)
  })

  test('is back with one master while another is away: what is pending there waits for that one', async () => {
    const keys = [0, 1].map((master) => uniqueOn(master, (key) => names.entry(key)))
    let rejoined = 0
    const store = await open({
      async rejoin(way) {
        await way.delete(keys)
        rejoined++
      },
    })
    for (const key of keys) await fillKey(store, key)
    const [first, second] = cluster.masters
    first!.pause()
    second!.pause()
    onTestFinished(() => [first, second].forEach((server) => server!.resume()))
    await expect(store.read(keys, [])).rejects.toMatchObject(unreachable)
    first!.resume()
    await expect.poll(() => rejoined).toBe(1)
    await expect.poll(() => stateOf(store, ask(keys[0]!)).catch(String)).toBe('won')
    second!.resume()
    await expect.poll(() => stateOf(store, ask(keys[1]!)).catch(String)).toBe('won')
  })

  test('is opened while none of it is there, and used as soon as it is', async () => {
    await Promise.all(cluster.masters.map((server) => server.crash()))
    const store = await open()
    expect(store.isCurrent(performance.now())).toBe(false)
    expect((await store.read(['a'], ['b'])).versions).toEqual([null])
    await expect(store.bump(['b'])).rejects.toMatchObject({ ...unreachable, details: { tags: ['b'] } })
    await Promise.all(cluster.masters.map((server) => server.restart()))
    await expect.poll(() => store.bump(['b']).then(() => 'done', String)).toBe('done')
    await expect.poll(() => store.isCurrent(performance.now())).toBe(true)
  })

  test('is refused where the URL does not call it a cluster', async () => {
    await expect(redisStore({ url: cluster.masters[0]!.url })).rejects.toMatchObject({
      code: 'PLIMSOLL_FEATURE_UNSUPPORTED',
      message: expect.stringContaining('add ?cluster=true'),
    })
  })

  test('can be given by a client, which is left alone', async () => {
    const client = new Cluster([{ host: '127.0.0.1', port: cluster.masters[1]!.port }])
    onTestFinished(() => client.disconnect())
    const store = await redisStore({ client }, { timeout: '1s' })
    store.attach(observerOf())
    const key = unique()
    const bytes = await fillKey(store, key)
    expect(await bytesOf(store, key)).toEqual(bytes)
    await store.close()
    expect(await client.set('a', 'b')).toBe('OK')
  })
})
