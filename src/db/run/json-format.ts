import { ChildJson } from '../decode/child-json.ts'
import { jsonEncoder } from './generated.ts'
import type { RowFormat } from './row-format.ts'

/** Rows as JSON bytes. */
export const jsonFormat: RowFormat<ChildJson> = {
  collect(shape, cardinality) {
    const encode = jsonEncoder(shape)
    const group = new ChildJson()
    const seen = new Set<string>()
    return {
      add(key, { chunk, start, end }, children) {
        if (cardinality === 'one') {
          if (seen.has(key)) return
          seen.add(key)
        }
        group.add(key, (writer) => encode(writer, chunk, start, end, children))
      },
      done: () => group,
    }
  },
}
