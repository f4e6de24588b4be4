import type { ChildRows } from '../decode/row-shape.ts'
import { rowDecoder } from './generated.ts'
import type { RowFormat } from './row-format.ts'

/** Rows as JavaScript values. */
export const valueFormat: RowFormat<ChildRows> = {
  collect(shape) {
    const decode = rowDecoder(shape)
    const groups = new Map<string, unknown[]>()
    return {
      add(key, { chunk, start, end }, children) {
        const value = decode(chunk, start, end, children)
        const group = groups.get(key)
        if (group) group.push(value)
        else groups.set(key, [value])
      },
      done: () => groups,
    }
  },
}
