import type {} from '../../core/buffer-slices.ts'
import type { GroupKey } from './row-shape.ts'

const zero = 0x30

/** The text of one key column; small integers, as nearly all keys are, without a call into native code. */
export function readKeyText(chunk: Buffer, at: number, length: number): string {
  const first = chunk[at]! - zero
  if (length < 10 && first > 0 && first < 10) {
    let number = first
    let i = at + 1
    for (const end = at + length; i < end; i += 1) {
      const digit = chunk[i]! - zero
      if (digit < 0 || digit > 9) break
      number = number * 10 + digit
    }
    if (i === at + length) return `${number}`
  }
  return chunk.utf8Slice(at, at + length)
}

/** Source text of an expression for the {@link GroupKey} of `slots`, over the names that `offsetsSource` declares. */
export function keySource(slots: readonly number[]): string {
  const parts = slots.map((slot) => `readKeyText(chunk,o${slot},l${slot})`)
  return `(${slots.map((slot) => `l${slot}<0`).join('||')}?undefined:${parts.join("+'\\u0000'+")})`
}

/** See {@link GroupKey}. */
export type KeyReader = (chunk: Buffer, start: number, end: number) => GroupKey | undefined
