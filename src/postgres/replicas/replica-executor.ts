import { isPlimsollError } from '../../core/errors.ts'
import type { CommandResult, Executor, Transaction, WalPosition } from '../contract.ts'
import { readAlone } from '../session/cursor.ts'
import type { Session } from '../session/session.ts'
import type { ReplicaCall } from './read-runs.ts'
import type { Replica } from './replica.ts'
import type { ReplicaSet } from './replica-set.ts'

/** The door to the primary, as far as reads on replicas need it. */
export interface Primary extends Executor {
  current(): Transaction | undefined
}

/**
 * An executor for the statements of one read. All go to one replica, because another may not have come as far yet; once one had
 * to go to the primary the following do too.
 */
export function replicaExecutor(
  set: ReplicaSet,
  primary: Primary,
  wantedPosition: () => WalPosition | undefined | Promise<WalPosition>,
): Executor {
  let pinned: Replica | undefined
  let toPrimary = false
  let asked = false
  let wanted: WalPosition | undefined | Promise<WalPosition>

  const leave = (): undefined => {
    toPrimary = true
    return undefined
  }

  /** Where the next statement goes; undefined for the primary. */
  const choose = async (): Promise<{ replica: Replica; position: WalPosition | undefined } | undefined> => {
    if (!asked) {
      asked = true
      wanted = wantedPosition()
    }
    let position: WalPosition | undefined
    try {
      position = typeof wanted === 'object' ? await wanted : wanted
    } catch {
      // Without the primary nobody knows how far behind a replica is.
      return leave()
    }
    pinned ??= set.choose(position)
    if (toPrimary || pinned === undefined || !pinned.usable(position, performance.now())) return leave()
    return { replica: pinned, position }
  }

  const onReplica = async (call: ReplicaCall): Promise<readonly CommandResult[] | undefined> => {
    const chosen = await choose()
    if (chosen === undefined) return undefined
    let rows: Awaited<ReturnType<Replica['read']>>
    try {
      rows = await chosen.replica.read(call, chosen.position)
    } catch (error) {
      if (isCallers(error)) throw error
      chosen.replica.failed(error)
      return leave()
    }
    if (rows === undefined) return leave()
    return rows
  }

  return {
    async execute(statement, values, sink, options) {
      if (!toPrimary && statement.readOnly && primary.current() === undefined) {
        const call = { items: [{ statement, values, sink }], together: false, options }
        const results = await onReplica(call)
        if (results !== undefined) return results[0]!
      }
      return primary.execute(statement, values, sink, options)
    },

    async batch(items, options) {
      const reads = items.length > 0 && items.every(({ statement }) => statement.readOnly)
      if (!toPrimary && reads && primary.current() === undefined) {
        if ((await onReplica({ items, together: true, options })) !== undefined) return
      }
      return primary.batch(items, options)
    },

    async *cursor(statement, values, sink, options) {
      const inside = primary.current() !== undefined
      const chosen = toPrimary || inside || !statement.readOnly ? undefined : await choose()
      let touched = false
      if (chosen !== undefined) {
        const { replica, position } = chosen
        let session: Session | undefined
        try {
          session = await replica.lend(position, options.signal)
          if (session !== undefined) {
            yield* readAlone(session, statement, {
              ...options,
              values,
              sink: (chunk, start, end) => {
                touched = true
                sink(chunk, start, end)
              },
            })
            return
          }
        } catch (error) {
          if (touched || isCallers(error)) throw error
          replica.failed(error)
        } finally {
          if (session !== undefined) replica.giveBack(session)
        }
        leave()
      }
      yield* primary.cursor(statement, values, sink, options)
    },
  }
}

/** True for an end that the caller has asked for: running the statement again would be against that. */
function isCallers(error: unknown): boolean {
  return isPlimsollError(error, 'PLIMSOLL_STATEMENT_CANCELLED') || isPlimsollError(error, 'PLIMSOLL_STATEMENT_TIMEOUT')
}
