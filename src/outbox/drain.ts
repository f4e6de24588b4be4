import { carryBy, type Carried, type Carriers } from './carriers.ts'
import type { Carrier } from './contract.ts'
import type { OutboxRows } from './outbox-rows.ts'

const most = 500

/**
 * Carries every row of `kind` that is committed when it begins, without a claim: a relay may carry some of them at the same
 * time, which is harmless, and waiting for it would not be known to end. The number of rows.
 *
 * @throws what the carrier throws: the rows from there on stay
 */
export async function drainRows(
  rows: OutboxRows,
  {
    carriers,
    kind,
    carrier,
  }: { readonly carriers: Carriers; readonly kind: string; readonly carrier: Carrier | undefined },
): Promise<number> {
  const upTo = await rows.newestId(kind)
  let count = 0
  let after = '0'
  for (;;) {
    const some = await rows.read(kind, { after, upTo, most })
    const last = some.at(-1)
    if (last === undefined) return count
    const items = [...new Set(some.flatMap((row) => row.items))]
    const carried: Carried = carrier
      ? await carryBy([carrier], { kind, items, late: true })
      : await carriers.carry(kind, items, true)
    if (carried.state === 'failed') throw carried.error
    if (carried.state === 'nobody') return count
    await rows.delete(some.map(({ id }) => id))
    count += some.length
    after = last.id
  }
}
