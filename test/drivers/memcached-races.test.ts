import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import type { CacheStore, LeaseAnswer } from '../../src/cache/contract.ts'
import { memcachedStore } from '../../src/cache/drivers/memcached/memcached-store.ts'
import { CommandGate } from '../servers/command-gate.ts'
import { ask, bytesOf, entryOf, observerOf, random16, unique } from './cache-store.ts'

/** One of two clients: its store, and the gate that its commands go through. */
interface Side {
  readonly gate: CommandGate
  readonly store: CacheStore
}

const ttlMs = 600_000

describe.runIf(inject('memcachedUrl'))('two clients of Memcached, in every order of their commands', () => {
  let one: Side
  let two: Side
  beforeAll(async () => {
    const port = Number(new URL(inject('memcachedUrl')).port)
    const namespace = `races-${process.pid}`
    const side = async (): Promise<Side> => {
      const gate = new CommandGate(port)
      await gate.start()
      const store = memcachedStore({ servers: [{ host: '127.0.0.1', port: gate.port }] }, { namespace, timeout: '10s' })
      store.attach(observerOf())
      return { gate, store }
    }
    one = await side()
    two = await side()
  })
  afterAll(async () => {
    for (const { gate, store } of [one, two]) {
      await store.close()
      gate.stop()
    }
  })

  /**
   * Runs both, command by command; the bits of `order` say whose is next. Resolves with what they come to, and whether there
   * was a choice that `order` had no bit for.
   */
  async function interleave<A, B>(
    order: readonly boolean[],
    works: readonly [() => Promise<A>, () => Promise<B>],
  ): Promise<{ readonly results: readonly [A, B]; readonly choices: number }> {
    const sides = [one, two]
    for (const { gate } of sides) gate.shut()
    const done = [false, false]
    const results = works.map((work, n) =>
      work().finally(() => {
        done[n] = true
      }),
    ) as unknown as readonly [Promise<A>, Promise<B>]
    let choices = 0
    for (;;) {
      for (const [n, { gate }] of sides.entries()) await Promise.race([gate.held(), results[n]])
      const waiting = [0, 1].filter((n) => !done[n])
      if (waiting.length === 0) break
      const next = waiting.length === 1 ? waiting[0]! : Number(order[choices++] ?? false)
      await sides[next]!.gate.step()
    }
    for (const { gate } of sides) gate.open()
    return { results: [await results[0], await results[1]], choices }
  }

  /** Calls `check` for every order in which the commands of two can meet. */
  async function everyOrder(check: (order: readonly boolean[]) => Promise<number>): Promise<number> {
    let orders = 0
    const explore = async (prefix: readonly boolean[]): Promise<void> => {
      // Those with more choices than the prefix has took the first side every time.
      const choices = await check(prefix)
      orders++
      for (let at = prefix.length; at < choices; at++) {
        await explore([...prefix, ...Array.from({ length: at - prefix.length }, () => false), true])
      }
    }
    await explore([])
    return orders
  }

  test('what was loaded before a delete is gone after it', async () => {
    const orders = await everyOrder(async (order) => {
      const asked = ask(unique())
      expect(await one.store.acquire(asked)).toEqual({ state: 'won' })
      const bytes = entryOf(asked.generation, asked.token, 'old')
      const { results, choices } = await interleave(order, [
        () => one.store.fill(asked.key, { token: asked.token, bytes, ttlMs }),
        () => two.store.delete([asked.key]),
      ])
      expect(results[0]).toBeTypeOf('boolean')
      expect(await bytesOf(two.store, asked.key), `order ${order}`).toBeUndefined()
      return choices
    })
    expect(orders).toBeGreaterThan(10)
  })

  test('what is put stays, whatever was loaded before it, and whatever was there', async () => {
    for (const before of [true, false]) {
      const orders = await everyOrder(async (order) => {
        const asked = ask(unique())
        const fresh = entryOf(asked.generation, random16(), 'put')
        if (before) await two.store.put([{ key: asked.key, bytes: entryOf(random16(), random16()), ttlMs }])
        expect(await one.store.acquire(asked)).toEqual({ state: 'won' })
        const bytes = entryOf(asked.generation, asked.token, 'old')
        const { choices } = await interleave(order, [
          () => one.store.fill(asked.key, { token: asked.token, bytes, ttlMs }),
          () => two.store.put([{ key: asked.key, bytes: fresh, ttlMs }]),
        ])
        expect(await bytesOf(one.store, asked.key), `order ${order}`).toEqual(fresh)
        return choices
      })
      expect(orders).toBeGreaterThan(10)
    }
  })

  test('who asks while another fills waits or is served, and never loads', async () => {
    const seen = new Set<LeaseAnswer['state']>()
    await everyOrder(async (order) => {
      const asked = ask(unique())
      expect(await one.store.acquire(asked)).toEqual({ state: 'won' })
      const bytes = entryOf(asked.generation, asked.token)
      const { results, choices } = await interleave(order, [
        () => one.store.fill(asked.key, { token: asked.token, bytes, ttlMs }),
        () => two.store.acquire(ask(asked.key)),
      ])
      expect(results[0], `order ${order}`).toBe(true)
      seen.add(results[1].state)
      // Whoever was served holds nobody up.
      expect((await one.store.acquire(ask(asked.key, { replacing: asked.token }))).state).toBe('won')
      return choices
    })
    expect([...seen].toSorted()).toEqual(['filled', 'taken'])
  })

  test('of two that ask at once, one loads', async () => {
    await everyOrder(async (order) => {
      const key = unique()
      const { results, choices } = await interleave(order, [
        () => one.store.acquire(ask(key)),
        () => two.store.acquire(ask(key)),
      ])
      expect(results.map(({ state }) => state).toSorted(), `order ${order}`).toEqual(['taken', 'won'])
      return choices
    })
  })

  test('of two that take a lease of another generation over, one loads', async () => {
    await everyOrder(async (order) => {
      const old = ask(unique(), { generation: random16() })
      expect(await one.store.acquire(old)).toEqual({ state: 'won' })
      const { results, choices } = await interleave(order, [
        () => one.store.acquire(ask(old.key)),
        () => two.store.acquire(ask(old.key)),
      ])
      expect(results.map(({ state }) => state).toSorted(), `order ${order}`).toEqual(['taken', 'won'])
      const stale = { token: old.token, bytes: entryOf(old.generation, old.token), ttlMs }
      expect(await one.store.fill(old.key, stale)).toBe(false)
      return choices
    })
  })

  test('a lease that is released while it is taken over, renewed or asked for has one holder at most', async () => {
    await everyOrder(async (order) => {
      const old = ask(unique(), { generation: random16() })
      const now = ask(old.key)
      expect(await one.store.acquire(old)).toEqual({ state: 'won' })
      const { results, choices } = await interleave(order, [
        () => one.store.release(old.key, old.token, 'It broke.'),
        () => two.store.acquire(now),
      ])
      expect(results[1], `order ${order}`).toEqual({ state: 'won' })
      expect(await two.store.renew(now.key, now.token, 60_000), `order ${order}`).toBe(true)
      return choices
    })
  })
})
