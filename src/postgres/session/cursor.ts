import type { WireValue } from '../../core/wire.ts'
import { PlimsollError } from '../../core/errors.ts'
import type { RowSink, Statement } from '../contract.ts'
import { checkTimeout, executeOn, runText, type RunTarget } from './execute.ts'
import type { Session } from './session.ts'

let cursors = 0

/** What a cursor reads, and how. */
export interface CursorRead {
  readonly values: readonly WireValue[]
  readonly sink: RowSink
  readonly chunkSize: number
  readonly signal?: AbortSignal | undefined
  /** For the cursor and each of its fetches, in milliseconds; default: the pool's. Not for one that is held. */
  readonly timeoutMs?: number | undefined
  /** What the time-out is afterwards, in milliseconds; default: the pool's. */
  readonly restoreMs?: number | undefined
  /** True for a cursor that lives outside a transaction (`WITH HOLD`). */
  readonly hold?: boolean | undefined
}

/**
 * `DECLARE … CURSOR`, then `FETCH FORWARD chunkSize` until a chunk comes short. Yields the number of rows of each chunk
 * after `sink` has had them; the cursor is closed when the loop ends, however it ends.
 */
export async function* fetchAll(
  target: RunTarget,
  statement: Statement,
  read: CursorRead,
): AsyncGenerator<number, void, void> {
  const { chunkSize, signal } = read
  const timeoutMs = read.hold || read.timeoutMs === undefined ? undefined : checkTimeout(read.timeoutMs)
  if (!Number.isInteger(chunkSize) || chunkSize < 1) {
    throw new PlimsollError('PLIMSOLL_OPTION_INVALID', `chunkSize is ${chunkSize}; give a whole number of rows from 1.`)
  }
  const name = `plimsoll_cursor_${++cursors}`
  const declare = `declare ${name} no scroll cursor ${read.hold ? 'with hold ' : ''}for ${statement.text}`
  const fetch = { text: `fetch forward ${chunkSize} from ${name}`, name: undefined }
  if (timeoutMs !== undefined) await runText(target, `set local statement_timeout = ${timeoutMs}`)
  await executeOn(target, { text: declare, name: undefined }, { values: read.values, signal, timeoutMs })
  let failed = false
  try {
    for (;;) {
      const { rowCount } = await executeOn(target, fetch, { values: [], sink: read.sink, signal, timeoutMs })
      if (rowCount > 0) yield rowCount
      if (rowCount < chunkSize) return
    }
  } catch (error) {
    failed = true
    throw error
  } finally {
    // After an error the transaction is aborted, and the cursor with it.
    const closed = runText(target, `close ${name}`)
    if (failed) closed.catch(ignore)
    else {
      await closed
      if (timeoutMs !== undefined)
        await runText(target, `set local statement_timeout to ${read.restoreMs ?? 'default'}`)
    }
  }
}

/** Reads through a cursor on a session that nobody else uses meanwhile, in a transaction of its own that ends with the loop. */
export async function* readAlone(
  session: Session,
  statement: Statement,
  read: CursorRead,
): AsyncGenerator<number, void, void> {
  const target: RunTarget = {
    submit: (run) => session.send(run),
    cancel: (run) => session.cancel(run, 'signal'),
  }
  try {
    await runText(target, 'begin read only')
    yield* fetchAll(target, statement, read)
  } finally {
    if (!session.closed) await runText(target, 'rollback').catch(ignore)
  }
}

function ignore(): void {}
