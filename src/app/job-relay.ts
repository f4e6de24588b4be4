import type { JobEngine } from '../jobs/contract.ts'
import type { Relay } from '../jobs/enqueuer.ts'
import { cancelKind, packJobs, relayKind, unpackJobs } from '../jobs/relay/packed-jobs.ts'
import { relayedEngine } from '../jobs/relay/relayed-engine.ts'
import { openOutbox, type Outbox } from '../outbox/index.ts'
import type { Postgres } from '../postgres/index.ts'

/** An engine that is not transactional, and what makes enqueues part of transactions all the same. */
export interface JobRelay {
  readonly relay: Relay
  /** Ends the relay too. */
  readonly engine: JobEngine
}

/** How long a commit waits for its jobs to be handed on; then a relay does it. */
const patienceMs = 1000
/** After a failure commits leave it to the relay at once, for so long. */
const restMs = 2000

/**
 * Has jobs of transactions recorded with them in the outbox, and handed on to the engine after their commit, under ids that it stores
 * only once: by the process that has committed, or by any other. `outbox`: one with `records` that the application has already, which is left
 * open; by default one is opened, and closed with the engine.
 *
 * @throws PLIMSOLL_OUTBOX_UNAVAILABLE
 */
export async function openJobRelay(
  postgres: Postgres,
  engine: JobEngine,
  { outbox: shared }: { readonly outbox?: Outbox | undefined } = {},
): Promise<JobRelay> {
  const outbox = shared ?? (await openOutbox({ postgres, durable: true }))
  const underWay = new Set<Promise<void>>()
  let restsUntil = 0
  const carry = (kind: string, handOn: (items: readonly string[]) => Promise<void>): (() => void) =>
    outbox.carry(kind, async (items, { late }) => {
      const hand = (): Promise<void> => {
        const handing = handOn(items)
        const ended = (): void => void underWay.delete(handing)
        underWay.add(handing)
        handing.then(ended, ended)
        return handing
      }
      if (late) return hand()
      if (performance.now() < restsUntil) throw new Error('The engine of the jobs was away a moment ago.')
      try {
        await within(hand(), patienceMs)
      } catch (error) {
        restsUntil = performance.now() + restMs
        throw error
      }
    })
  const relayed = relayedEngine(engine, {
    pending: async (ids) => (await outbox.pending(relayKind, ids)).map(unpackJobs),
    cancelLater: () => {
      const transaction = postgres.current()
      return transaction && ((ids) => outbox.record(transaction, cancelKind, ids))
    },
  })
  const takeBack = [
    carry(relayKind, (packs) => addPacks(engine, packs)),
    carry(cancelKind, async (ids) => void (await relayed.cancel(ids))),
  ]
  const close = async (): Promise<void> => {
    for (const take of takeBack) take()
    if (shared === undefined) await outbox.close()
    // What is recorded stays so until the engine has it.
    await Promise.allSettled(underWay)
    await engine.close()
  }
  return {
    relay: async (transaction, jobs) => {
      // Rows of their own, so that none takes the relay too long.
      await Promise.all(packJobs(jobs).map((pack) => outbox.record(transaction, relayKind, [pack])))
      return jobs.map(({ id }) => ({ id, duplicate: false }))
    },
    engine: {
      ...relayed,
      close,
      [Symbol.asyncDispose]: close,
    },
  }
}

async function addPacks(engine: JobEngine, packs: readonly string[]): Promise<void> {
  for (const pack of packs) await engine.add(unpackJobs(pack))
}

async function within(work: Promise<void>, ms: number): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error(`The engine of the jobs did not take them within ${ms} ms.`)), ms)
  try {
    await Promise.race([work, promise])
  } finally {
    clearTimeout(timer)
  }
}
