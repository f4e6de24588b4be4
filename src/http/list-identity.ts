import type { AnyQuerySet } from '../db/dynamic.ts'
import { openCursor } from '../db/page/cursor.ts'
import { listIdentity } from '../db/page/list-identity.ts'
import { pageOrder } from '../db/page/page-order.ts'

/** What the cursors of a list are bound to; two lists of the same rows can be two lists to their cursors. */
export function identityOf(rows: AnyQuerySet): string {
  return identified(rows).identity(rows.bound)
}

/**
 * Checks that a cursor was made for the list of `rows`, without reading any of them.
 *
 * @throws PLIMSOLL_CURSOR_INVALID
 */
export function checkCursor(rows: AnyQuerySet, cursor: string): void {
  openCursor(rows.context.secret, identityOf(rows), { cursor, keys: identified(rows).keys })
}

function identified({ shape }: AnyQuerySet): {
  readonly identity: ReturnType<typeof listIdentity>
  readonly keys: number
} {
  return shape.compiled('list identity', (spec) => {
    const order = pageOrder(spec)
    return { identity: listIdentity(spec, order), keys: order.length }
  })
}
