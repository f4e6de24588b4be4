import { setTimeout as sleep } from 'node:timers/promises'
import type { CacheContestant } from '../../contestants/cache/contestant.ts'
import type { ColdKeyAnswer } from './protocol.ts'

/** Reads one key by so many readers at once; the loader takes `loadMs`. */
export async function readColdKey(
  contestant: CacheContestant,
  { key, readers, loadMs }: { readonly key: string; readonly readers: number; readonly loadMs: number },
): Promise<Omit<ColdKeyAnswer, 'nodeCpuUs'>> {
  let loads = 0
  const load = async (): Promise<string> => {
    loads++
    await sleep(loadMs)
    return key
  }
  const start = performance.now()
  const latenciesMs = await Promise.all(
    Array.from({ length: readers }, async () => {
      const value = await contestant.get(key, load)
      if (value !== key) throw new Error(`A reader of ${key} got ${String(value)}`)
      return performance.now() - start
    }),
  )
  return { loads, latenciesMs: Float64Array.from(latenciesMs) }
}
