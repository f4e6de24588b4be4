import { DynamicQuerySet, type AnyRow } from './dynamic-queryset.ts'
import { insertRow, insertRows } from './write/insert-rows.ts'
import type { OnConflictOption } from './write/on-conflict.ts'
import { updateManyRows } from './write/update-many.ts'

/** All rows of a model, with the writes that do not start from rows. */
export class DynamicModelSet extends DynamicQuerySet {
  async create(input: unknown): Promise<AnyRow> {
    return (await insertRow(this.context, this.model, input)) as AnyRow
  }

  async createMany(
    inputs: readonly unknown[],
    { onConflict }: { onConflict?: OnConflictOption | undefined } = {},
  ): Promise<AnyRow[]> {
    return (await insertRows(this.context, this.model, { inputs, onConflict })) as AnyRow[]
  }

  async updateMany(rows: readonly unknown[]): Promise<number> {
    return updateManyRows(this.context, this.model, rows)
  }
}
