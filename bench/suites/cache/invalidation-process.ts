import { setTimeout as sleep } from 'node:timers/promises'
import type { CacheContestant } from '../../contestants/cache/contestant.ts'
import { recordAt } from './values.ts'

const atOnce = 200
const warmUps = 30

/**
 * Fills `entries` keys with one tag, and resolves to the milliseconds that its invalidation takes: from the call until the
 * library says that it is done.
 *
 * @throws when an entry outlives it.
 */
export async function timeInvalidation(
  contestant: CacheContestant,
  { round, entries }: { readonly round: number; readonly entries: number },
): Promise<number> {
  const [prefix, tag] = [`invalidate-${entries}`, `everything-${entries}`]
  const value = recordAt(1)
  // The call itself should have been compiled; what it ends here is one entry.
  for (let i = 0; i < warmUps; i++) {
    await contestant.get(`${prefix}:warm`, async () => value, 'warm')
    await contestant.invalidate!('warm')
  }
  for (let from = 0; from < entries; from += atOnce) {
    const size = Math.min(atOnce, entries - from)
    await Promise.all(
      Array.from({ length: size }, (_, i) => contestant.get(`${prefix}:${from + i}`, async () => value, tag)),
    )
  }
  // What filling left behind, such as garbage and messages of other connections, is not part of it.
  await sleep(50)
  const start = performance.now()
  await contestant.invalidate!(tag)
  const tookMs = performance.now() - start
  for (const i of [0, entries >> 1, entries - 1]) {
    const read = await contestant.get(`${prefix}:${i}`, async () => ({ round }), tag)
    if ((read as { round?: number }).round !== round) throw new Error(`${prefix}:${i} outlived its tag`)
  }
  return tookMs
}
