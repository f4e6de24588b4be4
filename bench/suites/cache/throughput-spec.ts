import { isDeepStrictEqual } from 'node:util'
import type { CacheContestant, Load, LoadMany, Tiers } from '../../contestants/cache/contestant.ts'
import { recordAt, textAt } from './values.ts'

type Operation = (sequence: number) => Promise<unknown>

/** What a contestant's process is to do for a workload that counts operations per second. */
export interface ThroughputSpec {
  readonly name: string
  readonly title: string
  /** The contestant that is 1.00. */
  readonly reference: string
  readonly contestants: readonly string[]
  readonly tiers: Tiers
  readonly tagged: boolean
  readonly texts?: boolean
  /** How many operations are in flight; `tight` for one after the other, too short to be timed one by one. */
  readonly concurrency: number | 'tight'
  /** True when its loaders are part of the work; else a round in which they run is refused. */
  readonly loads?: boolean
  /** Fills the cache and gives the operation, checked to answer rightly. `load` counts its calls. */
  prepare(contestant: CacheContestant, load: <T>(value: T) => () => Promise<T>): Promise<Operation>
}

const libraries = ['bentocache', 'cacheable', 'cache-manager']
const plimsollShared = ['plimsoll-redis', 'plimsoll-memcached']
const inServer = [...plimsollShared, ...libraries, 'ioredis']

const keyCount = 10_000
const manyKeys = 50

/** The place of the n-th read: all over the keys, the same for every contestant. */
const placeAt = (sequence: number): number => (sequence * 48_271) % keyCount

function hotKey(tagged: boolean): ThroughputSpec {
  const name = tagged ? 'l1-hit' : 'l1-hit-untagged'
  return {
    name,
    title: `one hot key that the process holds${tagged ? ', with a tag' : ''}`,
    reference: 'bentocache',
    contestants: ['plimsoll-memory', ...plimsollShared, ...libraries],
    tiers: 'local',
    tagged,
    concurrency: 'tight',
    async prepare(contestant, load) {
      const [key, tag, value] = [`${name}:1`, tagged ? 'articles' : undefined, recordAt(1)]
      const loadValue = load(value)
      check(await contestant.get(key, loadValue, tag), value, name)
      check(await contestant.get(key, loadValue, tag), value, name)
      return () => contestant.get(key, loadValue, tag)
    },
  }
}

function sharedKeys(name: string, { tagged, texts }: { tagged: boolean; texts: boolean }): ThroughputSpec {
  const kind = texts ? 'texts of 200 bytes' : 'objects of about 200 bytes'
  return {
    name,
    title: `10,000 ${kind} that only the server holds${tagged ? ', with a tag' : ''}; 100 at once`,
    reference: 'ioredis',
    contestants: inServer,
    tiers: 'shared',
    tagged,
    texts,
    concurrency: 100,
    async prepare(contestant, load) {
      const { keys, loaders, tag } = await fillAll(contestant, { name, tagged, texts, load })
      return (sequence) => contestant.get(keys[placeAt(sequence)]!, loaders[placeAt(sequence)]!, tag)
    },
  }
}

const getMany: ThroughputSpec = {
  name: 'get-many',
  title: '50 of 10,000 keys at a time that only the server holds, with a tag; 10 at once',
  reference: 'ioredis',
  contestants: inServer.filter((name) => name !== 'bentocache'),
  tiers: 'shared',
  tagged: true,
  concurrency: 10,
  async prepare(contestant, load) {
    const { keys, tag } = await fillAll(contestant, { name: 'get-many', tagged: true, texts: false, load })
    const sets = Array.from({ length: keyCount / manyKeys }, (_, set) =>
      Array.from({ length: manyKeys }, (_, i) => keys[placeAt(set * manyKeys + i)]!),
    )
    const numberOf = new Map(keys.map((key, i) => [key, i]))
    const loadMany: LoadMany = (wanted) => load(wanted.map((key) => recordAt(numberOf.get(key)!)))()
    const expected = sets[1]!.map((key) => recordAt(numberOf.get(key)!))
    check(await contestant.getMany!(sets[1]!, loadMany, tag), expected, 'get-many')
    return (sequence) => contestant.getMany!(sets[sequence % sets.length]!, loadMany, tag)
  },
}

const fill: ThroughputSpec = {
  name: 'fill',
  title: 'keys that nobody holds, with a tag and a loader that answers at once; 100 at once',
  reference: 'ioredis',
  contestants: ['plimsoll-memory', ...inServer],
  tiers: 'both',
  tagged: true,
  concurrency: 100,
  loads: true,
  async prepare(contestant, load) {
    let next = 0
    const loadValue = load(recordAt(1))
    check(await contestant.get('fill:first', loadValue, 'articles'), recordAt(1), 'fill')
    return () => contestant.get(`fill:${next++}`, loadValue, 'articles')
  },
}

/** In the order of the tables. */
export const throughputSpecs: readonly ThroughputSpec[] = [
  hotKey(true),
  hotKey(false),
  sharedKeys('l2-hit', { tagged: true, texts: false }),
  sharedKeys('l2-hit-untagged', { tagged: false, texts: false }),
  sharedKeys('l2-hit-text', { tagged: false, texts: true }),
  getMany,
  fill,
]

async function fillAll(
  contestant: CacheContestant,
  options: {
    readonly name: string
    readonly tagged: boolean
    readonly texts: boolean
    readonly load: <T>(value: T) => () => Promise<T>
  },
): Promise<{ readonly keys: readonly string[]; readonly loaders: readonly Load[]; readonly tag: string | undefined }> {
  const { name, texts } = options
  const tag = options.tagged ? 'articles' : undefined
  const valueAt = texts ? textAt : recordAt
  const keys = Array.from({ length: keyCount }, (_, i) => `${name}:${i}`)
  const loaders = keys.map((_, i) => options.load(valueAt(i)))
  for (let from = 0; from < keyCount; from += 100) {
    await Promise.all(keys.slice(from, from + 100).map((key, i) => contestant.get(key, loaders[from + i]!, tag)))
  }
  for (const i of [0, 4711, keyCount - 1]) check(await contestant.get(keys[i]!, loaders[i]!, tag), valueAt(i), name)
  return { keys, loaders, tag }
}

function check(actual: unknown, expected: unknown, label: string): void {
  if (!isDeepStrictEqual(actual, expected)) throw new Error(`${label}: wrong value ${JSON.stringify(actual)}`)
}
