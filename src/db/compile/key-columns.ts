import type { Column, Relation } from '../../schema/model.ts'
import { castType } from './cast-type.ts'

/** One column of the key that ties the rows of a relation to their parents. */
export interface KeyColumn {
  /** The column of the child, or of the junction of a many-to-many. */
  readonly column: Column
  /** The type that a parent's value is cast to before it meets the column. */
  readonly type: string
  /** True when a value of the parent's column may not fit the type of `column`. */
  readonly widened: boolean
  /** True when equal values have equal texts, so that the child's column names its parent as well as the parent's own does. */
  readonly equalByText: boolean
}

/** The key of a relation, in the order of its `sourceColumns`. */
export function keyColumns(relation: Relation): KeyColumn[] {
  const columns = relation.through ? relation.through.sourceColumns : relation.targetColumns
  return columns.map((column, i) => {
    const [own, parent] = [castType(column.codec.sqlType), castType(relation.sourceColumns[i]!.codec.sqlType)]
    const widened = integerTypes.indexOf(parent) > integerTypes.indexOf(own)
    return { column, type: widened ? parent : own, widened, equalByText: equalByText.has(own) }
  })
}

/** From narrow to wide. PostgreSQL compares them with each other, and by the same indexes. */
const integerTypes = ['smallint', 'integer', 'bigint']

/**
 * Types whose values are equal exactly when their texts are. `numeric` (1.0 and 1.00), `char(n)` (blanks), floats (0 and -0),
 * `interval` and citext are not; a type that is missing here is taken for one of those, which is slower but right. So is
 * text of a nondeterministic collation, which a Drizzle schema can name only as a custom type: `text collate "x"`.
 */
const equalByText: ReadonlySet<string> = new Set([
  ...integerTypes,
  'text',
  'varchar',
  'uuid',
  'boolean',
  'bytea',
  'date',
  'timestamp without time zone',
  'timestamp with time zone',
  'time without time zone',
  'inet',
  'cidr',
  'macaddr',
  'macaddr8',
  'varbit',
])
