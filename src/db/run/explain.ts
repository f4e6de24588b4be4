import { createStatement } from '../../postgres/index.ts'
import type { CompiledQuery } from '../compile/compiled-query.ts'
import { firstColumn } from './count.ts'
import type { ReadInput } from './read.ts'

/**
 * The SQL of every statement of a query with PostgreSQL's plan for the first. Prefetches are shown without a plan: their
 * keys come from the rows.
 */
export async function explainQuery(
  query: CompiledQuery,
  input: ReadInput,
  { analyze }: { analyze: boolean },
): Promise<string> {
  const statement = createStatement(
    `explain (${analyze ? 'analyze, buffers' : 'verbose false'}) ${query.statement.text}`,
    { prepare: false },
  )
  const plan = await firstColumn({ statement, sources: query.sources }, input)
  return [query.statement.text, ...plan.map((line) => `  ${line}`), ...prefetchLines(query)].join('\n')
}

function prefetchLines(query: CompiledQuery): string[] {
  return query.prefetches.flatMap((prefetch) => [
    '',
    `-- prefetch, by ${prefetch.strategy}`,
    prefetch.query.statement.text,
    ...prefetchLines(prefetch.query),
  ])
}
