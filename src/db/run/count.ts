import { compileCount, compileEstimate, compileExists, type CompiledStatement } from '../compile/compile-count.ts'
import { bindParameters } from '../compile/sql-text.ts'
import type { DbContext } from '../context.ts'
import { compileTextReader } from '../decode/text-reader.ts'
import type { Shape } from '../shape.ts'
import type { ReadInput } from './read.ts'

/** How many rows the queryset has. */
export async function countRows({ graph }: DbContext, shape: Shape, input: ReadInput): Promise<number> {
  const count = shape.compiled('count', (spec) => compileCount(spec, graph))
  return Number((await firstColumn(count, input))[0])
}

/** Whether the queryset has any row. */
export async function existRows({ graph }: DbContext, shape: Shape, input: ReadInput): Promise<boolean> {
  const exists = shape.compiled('exists', (spec) => compileExists(spec, graph))
  return (await firstColumn(exists, input)).length > 0
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
