import type { WalPosition } from '../contract.ts'

const timelineDigits = 8
const lsnDigits = 16

/**
 * A {@link WalPosition} from a timeline and an LSN as PostgreSQL writes it, two hexadecimal numbers; `back` bytes (default 0) before
 * that.
 *
 * @example
 * toWalPosition(2, '16/B374D848') // '00000002' + '00000016B374D848'
 */
export function toWalPosition(timeline: number, lsn: string, back = 0): WalPosition {
  const [high, low] = lsn.split('/') as [string, string]
  const number = (BigInt(`0x${high}`) << 32n) + BigInt(`0x${low}`) - BigInt(back)
  const digits = timeline.toString(16).padStart(timelineDigits, '0') + number.toString(16).padStart(lsnDigits, '0')
  return digits.toUpperCase()
}

/**
 * True when a server that has replayed up to `reached` has everything that was committed before `wanted`. Both parts have to
 * be reached: a server of an older timeline that is further ahead has replayed something else, which was lost in a failover; and
 * one that is known to follow the newer timeline may not have come to where that began.
 */
export function reaches(reached: WalPosition, wanted: WalPosition): boolean {
  return timelineOf(reached) >= timelineOf(wanted) && lsnOf(reached) >= lsnOf(wanted)
}

/** The later one of two positions, of which either may be unknown. */
export function laterPosition(one: WalPosition | undefined, other: WalPosition): WalPosition {
  return one === undefined || other > one ? other : one
}

/** The timeline of a position, as 8 hexadecimal digits. */
export function timelineOf(position: WalPosition): string {
  return position.slice(0, timelineDigits)
}

function lsnOf(position: WalPosition): string {
  return position.slice(timelineDigits)
}
