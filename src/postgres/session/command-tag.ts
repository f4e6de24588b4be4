import type {} from '../../core/buffer-slices.ts'
import type { StatementRun } from './statement-run.ts'

const S = 0x53
const E = 0x45
const space = 0x20

/** Reads a CommandComplete body (`SELECT 50`, `INSERT 0 1`, `BEGIN`) into the run it completes. */
export function readCommandTag(run: StatementRun, chunk: Buffer, start: number, end: number): void {
  let last = end - 1
  if (chunk[last] === 0) last--
  let count = 0
  let scale = 1
  let at = last
  for (; at >= start; at--) {
    const digit = chunk[at]! - 48
    if (digit < 0 || digit > 9) break
    count += digit * scale
    scale *= 10
  }
  const counted = at < last && chunk[at] === space
  run.rowCount = counted ? count : 0
  if (counted && chunk[start] === S && chunk[start + 1] === E && chunk[start + 6] === space) {
    run.command = 'SELECT'
    return
  }
  const stop = chunk.indexOf(space, start)
  run.command = chunk.latin1Slice(start, stop === -1 || stop > last ? last + 1 : stop)
}
