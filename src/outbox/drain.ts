import { carriedLate, carryBy, type Carried, type Carriers } from './carriers.ts'
import type { Carrier } from './contract.ts'
import type { OutboxRows } from './outbox-rows.ts'

/** Of up to a thousand tags each: carriers are given 30 s for them together. */
const most = 100

/**
 * Carries every row of `kind` that is committed when it begins, without a claim: a relay may carry some of them at the same
 * time, which is harmless, and waiting for it would not be known to end. The number of rows.
 *
 * @throws what the carrier throws first, when all rows were tried; those that it failed for stay
 */
export async function drainRows(
  rows: OutboxRows,
  {
    carriers,
    kind,
    carrier,
    carried: told,
  }: {
    readonly carriers: Carriers
    readonly kind: string
    readonly carrier: Carrier | undefined
    /** Told of what was carried, before it is forgotten. */
    readonly carried?: ((kind: string, items: readonly string[]) => Promise<void>) | undefined
  },
): Promise<number> {
  const upTo = await rows.newestId(kind)
  let count = 0
  let after = '0'
  let failure: { readonly error: unknown } | undefined
  for (;;) {
    const some = await rows.read(kind, { after, upTo, most })
    const last = some.at(-1)
    if (last === undefined) break
    const items = [...new Set(some.flatMap((row) => row.items))]
    const carried: Carried = carrier
      ? await carryBy([carrier], { kind, items, info: carriedLate })
      : await carriers.carry(kind, items, carriedLate)
    if (carried.state === 'nobody') break
    if (carried.state === 'failed') failure ??= { error: carried.error }
    else {
      await told?.(kind, items)
      await rows.delete(some.map(({ id }) => id))
      count += some.length
    }
    after = last.id
  }
  if (failure !== undefined) throw failure.error
  return count
}
