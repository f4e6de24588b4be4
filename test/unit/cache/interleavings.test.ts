import { describe, expect, test } from 'vitest'
import type { OpenCache } from '../../../src/cache/cache-options.ts'
import { openCache } from '../../../src/cache/open-cache.ts'
import { explore, type Run } from './explore.ts'
import { ModelServer, ModelStore, type Turn } from './model-store.ts'

/**
 * The promise: a read that begins after a write was acknowledged never gives an older value, in whatever order the steps of
 * readers, writers, fillers and evictors come; and what is left in the cache at the end is not older than the database.
 */
class World {
  readonly server = new ModelServer()
  readonly turn: Turn
  /** The row, and the last value whose write was acknowledged. */
  row = 0
  acknowledged = 0
  loads = 0

  constructor(turn: Turn) {
    this.turn = turn
  }

  process(coherence: 'none' | 'pushed'): OpenCache {
    const store = new ModelStore(this.server, coherence, this.turn)
    // Small, since there are many of them.
    const local = { maxEntries: 10, maxBytes: '10KB' } as const
    return openCache({ store, localWindow: 0, lease: '10s', local, maxTags: 10, statistics: { keys: 0 } })
  }

  async read(cache: OpenCache, name: string): Promise<void> {
    const atLeast = this.acknowledged
    const value = await cache.get('key', () => this.#load(name), { tags: ['tag'], ttl: '1h' })
    // Told to `expect` only when it is wrong: it would take a third of the time of tens of thousands of runs.
    if (!(value >= atLeast)) expect.fail(`${name} read ${value}, older than a write that was acknowledged: ${atLeast}`)
  }

  /** A write is two steps, a commit and a bump; only then is it acknowledged. */
  async write(cache: OpenCache): Promise<void> {
    await this.turn('commit')
    const value = ++this.row
    await cache.bump(['tag'])
    this.acknowledged = Math.max(this.acknowledged, value)
  }

  async #load(name: string): Promise<number> {
    this.loads++
    await this.turn(`${name} reads the row`)
    const value = this.row
    // The answer is on its way for a while.
    await this.turn(`${name} gets the row`)
    return value
  }

  /** What the evictor may do, once each. */
  events(...names: readonly ('version' | 'entry' | 'lease')[]): NonNullable<Run['events']> {
    const happen = {
      version: () => this.server.versions.delete('tag'),
      entry: () => this.server.entries.delete('key'),
      lease: () => this.server.leases.delete('key'),
    }
    return names.map((name) => ({ name: `the ${name} is evicted`, happen: happen[name] }))
  }

  /** Bumps are told to the processes one after another, at any time. */
  deliveries(count: number): NonNullable<Run['events']> {
    return Array.from({ length: count }, () => ({ name: 'a push arrives', happen: () => this.server.deliver() }))
  }
}

/** Reads once more at the end, when everything has happened and was told. */
async function atRest(world: World, actors: readonly Promise<void>[], caches: readonly OpenCache[]): Promise<void> {
  await Promise.all(actors)
  while (world.server.pushes.length > 0) world.server.deliver()
  for (const cache of caches) await world.read(cache, 'the last reader')
}

function run(world: World, caches: readonly OpenCache[], actors: readonly Promise<void>[]): Run['actors'] {
  return [...actors, atRest(world, actors, caches)]
}

describe('every order of the steps of', () => {
  test.each(['version', 'entry', 'lease'] as const)(
    'a reader that fills, a writer, and an evictor of the %s',
    async (what) => {
      const orders = await explore((turn) => {
        const world = new World(turn)
        const cache = world.process('none')
        const actors = [world.read(cache, 'A'), world.write(cache)]
        return { actors: run(world, [cache], actors), events: world.events(what) }
      })
      expect(orders).toBeGreaterThan(200)
    },
  )

  test('two readers of two processes and a writer of a third', async () => {
    const orders = await explore((turn) => {
      const world = new World(turn)
      const [a, b, c] = [world.process('none'), world.process('none'), world.process('none')]
      const actors = [world.read(a, 'A'), world.read(b, 'B'), world.write(c)]
      return { actors: run(world, [a, b], actors) }
    })
    expect(orders).toBeGreaterThan(1000)
  })

  test('a reader, a writer, and pushes that arrive when they like, with local copies', async () => {
    const orders = await explore((turn) => {
      const world = new World(turn)
      const [a, b] = [world.process('pushed'), world.process('pushed')]
      const actors = [world.read(a, 'A').then(() => world.read(a, 'A again')), world.write(b)]
      return { actors: run(world, [a], actors), events: world.deliveries(2) }
    })
    expect(orders).toBeGreaterThan(500)
  })
})

describe('orders by chance of', () => {
  test('three readers, two writers and an evictor, with local copies and pushes', async () => {
    await explore(
      (turn) => {
        const world = new World(turn)
        const [a, b, c] = [world.process('pushed'), world.process('pushed'), world.process('none')]
        const actors = [
          world.read(a, 'A').then(() => world.read(a, 'A again')),
          world.read(b, 'B').then(() => world.read(b, 'B again')),
          world.read(c, 'C'),
          world.write(a).then(() => world.read(a, 'the writer')),
          world.write(b),
        ]
        const events = [...world.events('version', 'entry', 'lease'), ...world.deliveries(6)]
        return { actors: run(world, [a, b, c], actors), events }
      },
      { samples: { count: 5_000, seed: 7 } },
    )
  }, 120_000)
})

test('the explorer finds the stale fill of a cache that has no versions', async () => {
  const naive = explore((turn) => {
    const world = new World(turn)
    let kept: number | undefined
    const read = async (): Promise<void> => {
      const atLeast = world.acknowledged
      if (kept === undefined) {
        await turn('reads the row')
        const value = world.row
        await turn('fills')
        kept = value
      }
      expect(kept).toBeGreaterThanOrEqual(atLeast)
    }
    const write = async (): Promise<void> => {
      await turn('commit')
      world.row++
      await turn('delete')
      kept = undefined
      world.acknowledged = world.row
    }
    const actors = [read(), write()]
    return { actors: [...actors, Promise.all(actors).then(read)] }
  })
  await expect(naive).rejects.toThrow(/reads the row → commit → delete → fills/)
})
