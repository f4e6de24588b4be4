import type { Statement, WalPosition } from '../contract.ts'
import { createStatement } from '../statement.ts'
import { reaches, timelineOf, toWalPosition } from './wal-position.ts'

/**
 * What one session knows of the server at its other end. It says so of the session and not of the URL, behind which there may
 * be several servers; and a session does not outlive a restart, the one thing after which a server may have replayed less than
 * before.
 */
export interface Standing {
  /** False once it has been promoted, or when it never was a standby. */
  readonly standby: boolean
  /** Which cluster it is a copy of: the same for a primary and its standbys. Undefined when it may not be asked. */
  readonly system: string | undefined
  /** What it has replayed at least; undefined when that cannot be told. */
  readonly position: WalPosition | undefined
  /** When it was asked, by the clock of `performance`. */
  readonly at: number
}

/**
 * Asks for everything. The timeline is the latest that the server is certain to follow: of what it receives, of the least that it
 * has to replay to be consistent, or of its latest checkpoint, each of which can be behind. Whether it is a standby comes last:
 * then it was one when it said the rest.
 */
export const askAll: Statement = createStatement(
  `select pg_last_wal_replay_lsn(), (select system_identifier from pg_control_system()), greatest((select timeline_id from pg_control_checkpoint()), (select min_recovery_end_timeline from pg_control_recovery()), (select received_tli from pg_stat_wal_receiver)), pg_is_in_recovery()`,
)

/** Asks for what changes all the time. */
export const askPosition: Statement = createStatement(
  'select pg_last_wal_replay_lsn(), null, null, pg_is_in_recovery()',
)

/** Reads the answer to either question. `before` is what was known of the same session. */
export function readStanding(
  columns: readonly (string | null)[],
  { before, at }: { readonly before: Standing | undefined; readonly at: number },
): Standing {
  const [lsn, system, timelineText, recovery] = columns
  const timeline = timelineText ? Number(timelineText) : timelineBefore(before)
  return {
    standby: recovery === 't',
    system: system ?? before?.system,
    position: lsn && timeline !== undefined ? toWalPosition(timeline, lsn) : before?.position,
    at,
  }
}

/** True when a read there sees everything that was committed before `wanted`, on the cluster `system`. */
export function hasReplayed(standing: Standing, wanted: WalPosition, system: string | undefined): boolean {
  if (!standing.standby || system === undefined || standing.system !== system) return false
  return standing.position !== undefined && reaches(standing.position, wanted)
}

/** True when the timeline that is known of a session cannot prove that `wanted` was replayed. */
export function lacksTimeline({ position }: Standing, wanted: WalPosition): boolean {
  return position === undefined || timelineOf(position) < timelineOf(wanted)
}

function timelineBefore(before: Standing | undefined): number | undefined {
  return before?.position === undefined ? undefined : Number.parseInt(timelineOf(before.position), 16)
}
