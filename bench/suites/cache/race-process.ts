import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import type { CacheContestant } from '../../contestants/cache/contestant.ts'
import type { RaceAnswer, RaceRequest } from './protocol.ts'

/** The rows that the race is about. */
export const raceKeys = 50

const upTo = (most: number): number => Math.floor(Math.random() * most)
const nameOf = (key: number): string => `race:${key}`

/**
 * Readers through a cache against writers past it. The writers commit, then end what is under the key, as the library's
 * documentation says: by the entry's tag where it has tags, else by its key.
 */
export class Race {
  readonly #contestant: CacheContestant
  readonly #pool: pg.Pool
  /** What this process has written, and ended in the cache, by key. */
  readonly #written = new Array<number>(raceKeys).fill(0)
  #loads = 0

  constructor(contestant: CacheContestant, postgresUrl: string) {
    this.#contestant = contestant
    this.#pool = new pg.Pool({ connectionString: postgresUrl, max: 12 })
  }

  async run({ readers, writers, durationMs }: RaceRequest): Promise<Omit<RaceAnswer, 'nodeCpuUs'>> {
    const latenciesMs: number[] = []
    let [writes, outdated] = [0, 0]
    const deadline = performance.now() + durationMs
    const write = async (): Promise<void> => {
      while (performance.now() < deadline) {
        const key = upTo(raceKeys)
        const { rows } = await this.#pool.query<{ v: number }>('update race set v = v + 1 where k = $1 returning v', [
          key,
        ])
        await this.#end(key)
        this.#written[key] = Math.max(this.#written[key]!, rows[0]!.v)
        writes++
        await sleep(upTo(6))
      }
    }
    const read = async (): Promise<void> => {
      while (performance.now() < deadline) {
        const key = upTo(raceKeys)
        const least = this.#written[key]!
        const start = performance.now()
        const value = await this.#read(key, () => this.#loadSlowly(key))
        latenciesMs.push(performance.now() - start)
        if (value < least) outdated++
        await sleep(upTo(3))
      }
    }
    await Promise.all([...Array.from({ length: writers }, write), ...Array.from({ length: readers }, read)])
    return { writes, loads: this.#loads, outdated, latenciesMs: Float64Array.from(latenciesMs) }
  }

  /** The keys that are read as something else than what the database has. Asked when nobody writes any more. */
  async staleKeys(): Promise<number[]> {
    const stale: number[] = []
    for (let key = 0; key < raceKeys; key++) {
      const value = await this.#load(key)
      if ((await this.#read(key, async () => value)) !== value) stale.push(key)
    }
    return stale
  }

  close(): Promise<void> {
    return this.#pool.end()
  }

  #read(key: number, load: () => Promise<number>): Promise<number> {
    return this.#contestant.get(nameOf(key), load, nameOf(key)) as Promise<number>
  }

  #end(key: number): Promise<unknown> {
    const { invalidate, remove } = this.#contestant
    return invalidate ? invalidate(nameOf(key)) : remove(nameOf(key))
  }

  async #load(key: number): Promise<number> {
    const { rows } = await this.#pool.query<{ v: number }>('select v from race where k = $1', [key])
    return rows[0]!.v
  }

  async #loadSlowly(key: number): Promise<number> {
    this.#loads++
    const value = await this.#load(key)
    await sleep(upTo(20))
    return value
  }
}
