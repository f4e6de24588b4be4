import { events } from '../core/events.ts'
import type { Carrier, CarryInfo } from './contract.ts'

/** What became of effects: carried, refused with an error, or known to nobody in this process. */
export type Carried = { readonly state: 'done' | 'nobody' } | { readonly state: 'failed'; readonly error: unknown }

/** Longer than any engine's own time-outs: it only keeps a carrier that never settles from holding up everything. */
const carryTimeoutMs = 30_000

/** What the carriers of a relay or a drain are told. */
export const carriedLate: CarryInfo = Object.freeze({ late: true, announced: false, recorded: true })

/** Who carries out which kind of effect in this process. */
export class Carriers {
  readonly #byKind = new Map<string, Set<Carrier>>()

  get kinds(): readonly string[] {
    return [...this.#byKind.keys()]
  }

  add(kind: string, carrier: Carrier): () => void {
    const carriers = this.#byKind.get(kind) ?? new Set()
    // A function of its own for each call, so that the same carrier can be registered twice.
    const own: Carrier = (items, info) => carrier(items, info)
    this.#byKind.set(kind, carriers.add(own))
    return () => {
      carriers.delete(own)
      if (carriers.size === 0 && this.#byKind.get(kind) === carriers) this.#byKind.delete(kind)
    }
  }

  /** Gives the items to every carrier of the kind; never rejects. */
  async carry(kind: string, items: readonly string[], info: CarryInfo): Promise<Carried> {
    const carriers = this.#byKind.get(kind)
    if (carriers === undefined) return { state: 'nobody' }
    return carryBy([...carriers], { kind, items, info })
  }
}

/** Gives items to these carriers, and says so in an event; never rejects. */
export async function carryBy(
  carriers: readonly Carrier[],
  { kind, items, info }: { readonly kind: string; readonly items: readonly string[]; readonly info: CarryInfo },
): Promise<Carried> {
  let carried: Carried = { state: 'done' }
  try {
    await inTime(Promise.all(carriers.map(async (carrier) => carrier(items, info))))
  } catch (error) {
    carried = { state: 'failed', error }
  }
  if (events.hasSubscribers) {
    const failure = carried.state === 'failed' ? { error: errorText(carried.error) } : {}
    events.publish({ type: 'outbox.relay', kind, items: items.length, late: info.late, ...failure })
  }
  return carried
}

/** The message of an error, cut to what is worth keeping. */
export function errorText(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).slice(0, 500)
}

function inTime(work: Promise<unknown>): Promise<unknown> {
  const late = Promise.withResolvers<never>()
  const refuse = (): void => late.reject(new Error(`A carrier did not finish within ${carryTimeoutMs / 1000} s.`))
  const timer = setTimeout(refuse, carryTimeoutMs)
  return Promise.race([work, late.promise]).finally(() => clearTimeout(timer))
}
