/** Chance that repeats itself: the same seed gives the same content on every machine. */
export interface Random {
  /** At least 0, less than 1. */
  next(): number
  /** A whole number from `least` to `most`, both included. */
  integer(least: number, most: number): number
  pick<T>(items: readonly T[]): T
  /** `count` different items, fewer when there are not as many. */
  sample<T>(items: readonly T[], count: number): T[]
  /** True with the given probability. */
  chance(probability: number): boolean
}

/** Creates a {@link Random} from a whole number; the generator is a 32-bit xorshift multiplied at the end (xorshift32*). */
export function createRandom(seed: number): Random {
  let state = seed | 0 || 1
  const next = (): number => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (Math.imul(state, 0x2545f491) >>> 0) / 2 ** 32
  }
  const integer = (least: number, most: number): number => least + Math.floor(next() * (most - least + 1))
  const pick = <T>(items: readonly T[]): T => items[integer(0, items.length - 1)]!
  return {
    next,
    integer,
    pick,
    sample: (items, count) => {
      const left = [...items]
      return Array.from({ length: Math.min(count, left.length) }, () => left.splice(integer(0, left.length - 1), 1)[0]!)
    },
    chance: (probability) => next() < probability,
  }
}
