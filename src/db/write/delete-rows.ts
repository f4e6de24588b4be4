import { tableTags } from '../../schema/index.ts'
import { bindParameters } from '../compile/sql-text.ts'
import type { DbContext, TransactionalExecutor } from '../context.ts'
import type { DynamicQuerySet } from '../dynamic-queryset.ts'
import { runWrite } from './tracked-write.ts'
import { aliasedSql, compiledOn, rowsWhere } from './update-rows.ts'
import { returningSome, runReturningSome } from './written-rows.ts'

/** `delete from … where …` for the rows of a queryset; resolves with how many there were. */
export async function deleteRows(context: DbContext, queryset: DynamicQuerySet): Promise<number> {
  const { model, shape, bound } = queryset
  return runWrite(context, model, {
    async plain(executor) {
      const { statement, sources } = shape.compiled('delete', (spec) =>
        compiledOn(context, spec, (sql, scope, alias) => {
          return `delete from ${aliasedSql(model, alias)}${rowsWhere(context, spec, { sql, scope, alias })}`
        }),
      )
      return (await executor.execute(statement, bindParameters(sources, bound, []))).rowCount
    },
    async tracked(executor) {
      const effect = await deleteTracked(context, queryset, executor)
      return { result: effect.rowCount, effects: [{ ...effect, cascade: 'delete' }] }
    },
  })
}

async function deleteTracked(
  context: DbContext,
  { model, shape, bound }: DynamicQuerySet,
  executor: TransactionalExecutor,
): ReturnType<typeof runReturningSome> {
  const columns = tableTags(context.graph, model).written
  const { statement, sources } = shape.compiled('tracked delete', (spec) =>
    compiledOn(
      context,
      spec,
      (sql, scope, alias) => {
        const rows = `delete from ${aliasedSql(model, alias)}${rowsWhere(context, spec, { sql, scope, alias })}`
        return returningSome(
          rows,
          columns.map((column) => `${alias}.${column.sql}`),
        )
      },
      { tracked: true },
    ),
  )
  return runReturningSome(executor, { statement, values: bindParameters(sources, bound, []), columns, old: false })
}
