import { JsonWriter } from './json-writer.ts'
import type { GroupKey } from './row-shape.ts'

const openBracket = 0x5b
const closeBracket = 0x5d
const comma = 0x2c

/** Child rows as JSON, by the key of their group, until their parents are written. */
export class ChildJson {
  readonly #rows = new JsonWriter()
  /** Start and end of each stretch of rows; rows of one group that follow each other are one stretch. */
  readonly #groups = new Map<GroupKey, number[]>()
  #lastKey: GroupKey | undefined
  #lastGroup: number[] | undefined

  /** Adds the row that `encode` writes to the group of `key`. */
  add(key: GroupKey, encode: (writer: JsonWriter) => void): void {
    const rows = this.#rows
    if (this.#lastGroup !== undefined && key === this.#lastKey) {
      rows.writeByte(comma)
      encode(rows)
      this.#lastGroup[this.#lastGroup.length - 1] = rows.length
      return
    }
    let group = this.#groups.get(key)
    if (group === undefined) this.#groups.set(key, (group = []))
    const start = rows.length
    encode(rows)
    group.push(start, rows.length)
    this.#lastKey = key
    this.#lastGroup = group
  }

  /** Writes the group of `key`: for `many` an array, for `one` its only row or null. A key of undefined has no rows. */
  write(writer: JsonWriter, key: GroupKey | undefined, cardinality: 'one' | 'many'): void {
    const group = key === undefined ? undefined : this.#groups.get(key)
    if (group === undefined) {
      writer.writeAscii(cardinality === 'many' ? '[]' : 'null')
      return
    }
    const bytes = this.#rows.bytes
    if (cardinality === 'one') {
      writer.copy(bytes, group[0]!, group[1]!)
      return
    }
    writer.writeByte(openBracket)
    for (let at = 0; at < group.length; at += 2) {
      if (at > 0) writer.writeByte(comma)
      writer.copy(bytes, group[at]!, group[at + 1]!)
    }
    writer.writeByte(closeBracket)
  }

  /** Forgets all rows and gives their memory to the next writer. Call it when the parents are written. */
  release(): void {
    this.#groups.clear()
    this.#lastGroup = undefined
    this.#rows.release()
  }
}
