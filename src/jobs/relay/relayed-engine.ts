import type { JobEngine, JobRecord, NewJob } from '../contract.ts'

/** How long a job that is still to be handed on is left alone before it is looked at again. */
const lookMs = 250

/** The parts of {@link relayedEngine}. */
interface RelayedEngineParts {
  /** What is still to be handed on together, of all packs that hold one of these jobs; as the transaction sees it that the caller runs in. */
  readonly pending: (ids: readonly string[]) => Promise<readonly (readonly NewJob[])[]>
  /** Has jobs cancelled when the transaction commits that the caller runs in; undefined outside of one. */
  readonly cancelLater: () => ((ids: readonly string[]) => Promise<void>) | undefined
}

/** An engine that also knows of jobs that were committed and have not been handed on to it yet. */
export function relayedEngine(engine: JobEngine, { pending, cancelLater }: RelayedEngineParts): JobEngine {
  const find = async (id: string): Promise<JobRecord | undefined> => {
    const record = await engine.find(id)
    if (record !== undefined) return record
    const job = (await pending([id])).flat().find((one) => one.id === id)
    // Handed on between the two looks.
    return job === undefined ? engine.find(id) : recordOf(job)
  }
  const cancel = async (ids: readonly string[]): Promise<number> => {
    const packs = await pending(ids)
    if (packs.length === 0) return engine.cancel(ids)
    const later = cancelLater()
    if (later === undefined) {
      // What is still to be handed on would be handed on later, and run: it is handed on now, which is harmless twice.
      for (const pack of packs) await engine.add(pack)
      return engine.cancel(ids)
    }
    // What is known of it may still be undone, so nothing is handed on before the commit.
    const waiting = new Set(packs.flat().map(({ id }) => id))
    const records = await Promise.all(ids.map(async (id) => (waiting.has(id) ? engine.find(id) : undefined)))
    const unknown = ids.filter((id, i) => waiting.has(id) && records[i] === undefined)
    const known = ids.filter((id) => !unknown.includes(id))
    if (unknown.length > 0) await later(unknown)
    return unknown.length + (known.length > 0 ? await engine.cancel(known) : 0)
  }
  return {
    engine: engine.engine,
    features: engine.features,
    add: (jobs, within) => engine.add(jobs, within),
    consume: (options) => engine.consume(options),
    find,
    async settled(id, { timeoutMs, signal }) {
      if ((await pending([id])).length === 0) return engine.settled(id, { timeoutMs, signal })
      await new Promise((resolve) => setTimeout(resolve, Math.min(lookMs, timeoutMs)))
    },
    ...(engine.watch && { watch: (id: string, heard: () => void) => engine.watch!(id, heard) }),
    list: (filter, page) => engine.list(filter, page),
    cancel,
    redrive: (filter) => engine.redrive(filter),
    unpark: (queues, known) => engine.unpark(queues, known),
    counts: () => engine.counts(),
    ...(engine.depths && { depths: () => engine.depths!() }),
    close: () => engine.close(),
    [Symbol.asyncDispose]: () => engine.close(),
  }
}

/** What is known of a job whose time has not begun: its clock is that of the process that has enqueued it. */
function recordOf({ id, name, version, queue, tenant, input, owner, step, delayMs }: NewJob): JobRecord {
  // The first 48 bits of a UUID of version 7 are the milliseconds it was made at.
  const createdAt = Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)
  return {
    id,
    name,
    version,
    queue,
    tenant,
    state: delayMs > 0 ? 'delayed' : 'waiting',
    attempts: 0,
    deaths: 0,
    input,
    output: undefined,
    error: undefined,
    progress: undefined,
    owner,
    step,
    createdAt,
    startedAt: undefined,
    endedAt: undefined,
    dueAt: delayMs > 0 ? createdAt + delayMs : undefined,
  }
}
