import { compileCount, compileEstimate, compileExists, type CompiledStatement } from '../compile/compile-count.ts'
import { bindParameters } from '../compile/sql-text.ts'
import type { DbContext } from '../context.ts'
import { compileTextReader } from '../decode/text-reader.ts'
import type { Shape } from '../shape.ts'
import type { ReadInput } from './read.ts'

/** How the rows of a shape are counted. */
export function countStatement({ graph }: DbContext, shape: Shape): CompiledStatement {
  return shape.compiled('count', (spec) => compileCount(spec, graph))
}

/** How many rows the queryset has. */
export async function countRows(context: DbContext, shape: Shape, input: ReadInput): Promise<number> {
  return Number((await firstColumn(countStatement(context, shape), input))[0])
}

/** How it is found out whether a shape has any row. */
export function existsStatement({ graph }: DbContext, shape: Shape): CompiledStatement {
  return shape.compiled('exists', (spec) => compileExists(spec, graph))
}

/** Whether the queryset has any row. */
export async function existRows(context: DbContext, shape: Shape, input: ReadInput): Promise<boolean> {
  return (await firstColumn(existsStatement(context, shape), input)).length > 0
}

/** How many rows the planner expects, from its statistics: near for a whole table, a guess for unusual filters. */
export async function estimateRows({ graph }: DbContext, shape: Shape, input: ReadInput): Promise<number> {
  const estimate = shape.compiled('estimate', (spec) => compileEstimate(spec, graph))
  const [plan] = JSON.parse((await firstColumn(estimate, input)).join('\n')) as [{ Plan: { 'Plan Rows': number } }]
  return Math.round(plan.Plan['Plan Rows'])
}

const readFirst = compileTextReader([0])

/** The text of the first column of every row. */
async function firstColumn({ statement, sources }: CompiledStatement, input: ReadInput): Promise<string[]> {
  const texts: string[] = []
  const values = bindParameters(sources, input.values, [])
  await input.executor.execute(statement, values, (chunk, start, end) =>
    texts.push(readFirst(chunk, start, end)[0] ?? ''),
  )
  return texts
}
