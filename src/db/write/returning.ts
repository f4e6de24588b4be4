import type { RowShape } from '../decode/row-shape.ts'
import { memoizeByObject } from '../memoize.ts'
import type { Model } from '../../schema/model.ts'

/** What a RETURNING of all columns of a model becomes. */
export const returningShape: (model: Model) => RowShape = memoizeByObject((model) => ({
  fields: [...model.columns.values()].map((column, slot) => ({
    kind: 'column',
    key: column.key,
    slot,
    codec: column.codec,
  })),
}))

/** ` returning "id", "title"` */
export function returningSql(model: Model): string {
  return ` returning ${[...model.columns.values()].map((column) => column.sql).join(', ')}`
}
