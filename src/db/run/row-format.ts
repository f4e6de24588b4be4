import type { GroupKey, RowShape } from '../decode/row-shape.ts'

/** Receives rows of a statement once their children are there. */
export type RowConsumer<Children> = (chunk: Buffer, start: number, end: number, children: readonly Children[]) => void

/**
 * What rows become: JavaScript values or JSON. A format turns the rows of a prefetch into its own kind of children,
 * grouped by the key of their parent.
 */
export interface RowFormat<Children> {
  /**
   * Starts the children of rows of this shape; `add` takes a row, `done` gives them all. Of a to-one relation whose key turns
   * out not to be unique, the first row counts.
   */
  collect(
    shape: RowShape,
    cardinality: 'one' | 'many',
  ): {
    add(key: GroupKey, row: { chunk: Buffer; start: number; end: number }, children: readonly Children[]): void
    done(): Children
  }
}
