import { performance } from 'node:perf_hooks'
import type { Service } from './service.ts'

/** A read that gave less than what was acknowledged before it began. */
interface Violation {
  readonly id: number
  readonly read: number
  readonly acknowledged: number
  /** How long before the read that value had been acknowledged, in milliseconds. */
  readonly lateMs: number
}

/** What was seen while services were read and written. */
export interface Seen {
  reads: number
  writes: number
  /** Reads and writes that failed, with their errors. */
  readonly failures: unknown[]
  readonly violations: Violation[]
}

export interface LoadOptions {
  readonly counters: number
  /** How far a process may be behind others, in milliseconds: the documented window of pushes, or of local copies. */
  readonly windowMs: number
  readonly readersEach?: number
}

/**
 * Reads and writes counters through several services until `work` is done, and checks each read against what had been
 * acknowledged to anybody when it began, `windowMs` before for what another service acknowledged. At the end every
 * service reads every counter once more, strictly.
 */
export async function underLoad(
  services: readonly Service[],
  { counters, windowMs, readersEach = 4 }: LoadOptions,
  work: (seen: Seen) => Promise<void>,
): Promise<Seen> {
  const seen: Seen = { reads: 0, writes: 0, failures: [], violations: [] }
  // By counter, when which value was acknowledged, and by whom.
  const acknowledged = Array.from({ length: counters + 1 }, () => [{ at: 0, value: 0, by: -1 }])
  let running = true

  const read = async (by: number, id: number, window: number): Promise<void> => {
    const began = performance.now()
    const known = acknowledged[id]!.findLast((one) => one.at <= (one.by === by ? began : began - window))!
    const value = await services[by]!.read(id)
    seen.reads++
    if (value >= known.value) return
    seen.violations.push({ id, read: value, acknowledged: known.value, lateMs: began - known.at })
  }
  const loop = async (step: () => Promise<void>): Promise<void> => {
    // oxlint-disable-next-line no-unmodified-loop-condition -- the work ends it
    while (running) {
      await step().catch((error: unknown) => seen.failures.push(error))
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 3))
    }
  }
  const anyId = (): number => 1 + Math.floor(Math.random() * counters)
  const loops = services.flatMap((service, by) => [
    ...Array.from({ length: readersEach }, () => loop(() => read(by, anyId(), windowMs))),
    loop(async () => {
      const id = anyId()
      const value = await service.write(id)
      seen.writes++
      acknowledged[id]!.push({ at: performance.now(), value, by })
    }),
  ])
  await work(seen).finally(() => (running = false))
  await Promise.all(loops)
  await new Promise((resolve) => setTimeout(resolve, windowMs))
  for (const list of acknowledged) list.sort((a, b) => a.value - b.value)
  for (let id = 1; id <= counters; id++) {
    await Promise.all(services.map((_, by) => read(by, id, 0)))
  }
  return seen
}
