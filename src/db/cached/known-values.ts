import type { WireValue } from '../../core/wire.ts'
import { canonicalTextOf } from '../../schema/index.ts'
import type { Column } from '../../schema/model.ts'
import type { Condition } from '../filter/condition.ts'

/** The value at a slot, when the values of the queryset are there. */
export type SlotReader = (slot: number) => (values: readonly WireValue[]) => WireValue

/** The only values that a column can have in the rows that matter, as the texts of tags; null stands for NULL. */
export interface KnownValues {
  /** True when there may be more than one. */
  readonly many: boolean
  /** Undefined when they cannot be told, or are too many. */
  texts(values: readonly WireValue[]): readonly (string | null)[] | undefined
}

/** What is known of the columns of the rows of one table that matter. */
export type Known = ReadonlyMap<Column, KnownValues>

/** With more values than this in an `in`, the whole table is one tag instead of one for each. */
export const mostListedValues = 50

/** Of two things that are known of a column, the one that leaves fewer values: either is true of every row that matters. */
export function learn(known: Map<Column, KnownValues>, column: Column, values: KnownValues): void {
  const before = known.get(column)
  if (!before || (before.many && !values.many)) known.set(column, values)
}

/** All that either knows. */
export function bothKnown(known: Known, other: Known): Map<Column, KnownValues> {
  const both = new Map(known)
  for (const [column, values] of other) learn(both, column, values)
  return both
}

/** The same without NULL, which is equal to nothing: what is known behind `a = b`. */
export function notNull(known: KnownValues): KnownValues {
  return { many: known.many, texts: (values) => known.texts(values)?.filter((text) => text !== null) }
}

/** What a single condition says about its column, when it says which values that has. */
export function valuesOf(condition: Condition, readSlot: SlotReader): readonly [Column, KnownValues] | undefined {
  switch (condition.kind) {
    case 'operator': {
      const { column, slot } = condition
      const text = condition.sql === '=' ? canonicalTextOf(column) : undefined
      if (!text) return undefined
      const read = readSlot(slot)
      return [column, { many: false, texts: (values) => asTexts([read(values)], text) }]
    }
    case 'constant': {
      const { column, literal } = condition
      // A member of an enum in quotes, or true and false; see constantSql.
      const text = condition.sql === '=' ? canonicalTextOf(column)?.(literal.replace(/^'(.*)'$/, '$1')) : undefined
      return text === undefined ? undefined : [column, { many: false, texts: () => [text] }]
    }
    case 'isNull':
      return condition.negated || !canonicalTextOf(condition.column)
        ? undefined
        : [condition.column, { many: false, texts: () => [null] }]
    case 'in': {
      const { column, slot, orNull } = condition
      const text = condition.negated ? undefined : canonicalTextOf(column)
      if (!text) return undefined
      const read = readSlot(slot)
      return [
        column,
        {
          many: true,
          texts: (values) => {
            const list = read(values) as readonly WireValue[]
            const texts = list.length <= mostListedValues ? asTexts(list, text) : undefined
            return orNull && texts ? [...texts, null] : texts
          },
        },
      ]
    }
    default:
      return undefined
  }
}

/** A value that is NULL on the wire is equal to nothing, so that it leaves no row; it may come from a custom type. */
function asTexts(
  list: readonly WireValue[],
  text: (value: WireValue) => string | undefined,
): readonly string[] | undefined {
  const texts = list.flatMap((value) => (value === null ? [] : [text(value)]))
  return texts.every((item) => item !== undefined) ? texts : undefined
}
