import { bindParameters } from '../compile/sql-text.ts'
import type { DbContext } from '../context.ts'
import type { DynamicQuerySet } from '../dynamic-queryset.ts'
import { aliasedSql, compiledOn, rowsWhere } from './update-rows.ts'

/** `delete from … where …` for the rows of a queryset; resolves with how many there were. */
export async function deleteRows(context: DbContext, { model, shape, bound }: DynamicQuerySet): Promise<number> {
  const { statement, sources } = shape.compiled('delete', (spec) =>
    compiledOn(context, spec, (sql, scope, alias) => {
      return `delete from ${aliasedSql(model, alias)}${rowsWhere(context, spec, { sql, scope, alias })}`
    }),
  )
  const result = await context.executor.execute(statement, bindParameters(sources, bound, []))
  return result.rowCount
}
