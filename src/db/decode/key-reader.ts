import { offsetsSource, viewOf } from './row-offsets.ts'
import { keySource, readKeyText, type KeyReader } from './text-key.ts'

/** Makes the reader of the group key at `slots`; it gives undefined when one of them is NULL. */
export function compileKeyReader(slots: readonly number[]): KeyReader {
  const source = `return (chunk,start)=>{const source=viewOf(chunk);${offsetsSource(slots)}return ${keySource(slots)}}`
  return new Function('viewOf', 'readKeyText', source)(viewOf, readKeyText) as KeyReader
}
