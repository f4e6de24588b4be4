import { PlimsollError } from '../../core/errors.ts'
import type { Model } from '../../schema/model.ts'
import type { RowField } from '../decode/row-shape.ts'

/**
 * The fields of a row, each under a name of its own: JSON would have both, and an object the last.
 *
 * @throws PLIMSOLL_QUERY_INVALID naming two fields of one name.
 */
export function namedApart(model: Model, fields: readonly RowField[]): readonly RowField[] {
  const byName = new Map<string, RowField>()
  for (const field of fields) {
    const before = byName.get(field.key)
    if (before) {
      throw new PlimsollError(
        'PLIMSOLL_QUERY_INVALID',
        `A row of '${model.key}' would have '${field.key}' twice: as ${described(before)} and as ${described(field)}. ` +
          'Load one of them; a prefetch can have another name, by { as }.',
        { details: { model: model.key, name: field.key } },
      )
    }
    byName.set(field.key, field)
  }
  return fields
}

function described({ kind, key }: RowField): string {
  switch (kind) {
    case 'column':
      return `the column '${key}'`
    case 'joined':
      return `the relation '${key}' of selectRelated`
    case 'children':
      return `the prefetch '${key}'`
  }
}
