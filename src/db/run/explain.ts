import { randomUUID } from 'node:crypto'
import type { WireValue } from '../../core/wire.ts'
import { createStatement, type Executor, type Statement } from '../../postgres/index.ts'
import type { CompiledQuery } from '../compile/compiled-query.ts'
import { bindParameters, quote } from '../compile/sql-text.ts'
import type { DbContext } from '../context.ts'
import { compileTextReader } from '../decode/text-reader.ts'
import type { RowField } from '../decode/row-shape.ts'
import { readRows, type ReadInput } from './read.ts'

/** One statement of a query, and where its rows go. */
interface Part {
  readonly query: CompiledQuery
  /** '' for the query itself, else the path of the prefetch and how it finds its rows. */
  readonly heading: string
  /** True when its values can be told only from the rows of another statement. */
  readonly byKeys: boolean
}

/** A statement with the values that it ran with. */
interface Run {
  readonly statement: Statement
  readonly values: readonly WireValue[]
}

/**
 * The SQL of every statement of a query, each with PostgreSQL's plan for it. A prefetch by keys has the generic plan, the one
 * for any keys, because nothing runs. `analyze` first runs the query, to know the keys, and then each of its statements
 * again under EXPLAIN ANALYZE.
 */
export async function explainQuery(
  context: DbContext,
  query: CompiledQuery,
  { input, analyze }: { input: ReadInput; analyze: boolean },
): Promise<string> {
  const parts: Part[] = [{ query, heading: '', byKeys: false }, ...prefetchesOf(query, '')]
  const texts = analyze ? await measured(parts, input) : await expected(context, parts, input)
  return texts.join('\n\n')
}

/** The prefetches of a query, each followed by its own. */
function prefetchesOf(query: CompiledQuery, before: string): Part[] {
  return childPaths(query.shape.fields, before).flatMap(({ path, index }) => {
    const { query: child, strategy } = query.prefetches[index]!
    const heading = `-- prefetch ${path}, by ${strategy}`
    return [{ query: child, heading, byKeys: strategy === 'keys' }, ...prefetchesOf(child, `${path}.`)]
  })
}

function childPaths(fields: readonly RowField[], before: string): { path: string; index: number }[] {
  return fields
    .flatMap((field) => {
      const path = `${before}${field.key}`
      if (field.kind === 'children') return [{ path, index: field.index }]
      return field.kind === 'joined' ? childPaths(field.shape.fields, `${path}.`) : []
    })
    .toSorted((a, b) => a.index - b.index)
}

async function expected({ executor }: DbContext, parts: readonly Part[], { values }: ReadInput): Promise<string[]> {
  const texts: string[] = []
  for (const { query, heading, byKeys } of parts) {
    const { text } = query.statement
    const plan = byKeys
      ? await genericPlan(executor, text, query.sources.length)
      : await linesOf(executor, `explain ${text}`, bindParameters(query.sources, values, []))
    texts.push(shown({ heading: heading && byKeys ? `${heading}, whichever they are` : heading, text, plan }))
  }
  return texts
}

/**
 * The plan for any values. EXPLAIN (GENERIC_PLAN) came with PostgreSQL 16; a prepared statement with `plan_cache_mode` has
 * always had it. The setting is put back, because a surrounding transaction would go on with it.
 */
function genericPlan(executor: DbContext['executor'], text: string, parameters: number): Promise<string[]> {
  return executor.transaction(async (tx) => {
    const [before] = await linesOf(tx, 'show plan_cache_mode', [])
    const name = quote(`plimsoll_explain_${randomUUID()}`)
    const nulls = parameters > 0 ? `(${Array.from({ length: parameters }, () => 'null').join(', ')})` : ''
    await linesOf(tx, 'set local plan_cache_mode = force_generic_plan', [])
    await linesOf(tx, `prepare ${name} as ${text}`, [])
    const plan = await linesOf(tx, `explain execute ${name}${nulls}`, [])
    await linesOf(tx, `deallocate ${name}`, [])
    await linesOf(tx, `set local plan_cache_mode = ${before!}`, [])
    return plan
  })
}

async function measured(parts: readonly Part[], input: ReadInput): Promise<string[]> {
  const runs: Run[] = []
  await readRows(parts[0]!.query, { ...input, executor: recording(input.executor, runs) })
  const texts: string[] = []
  for (const { query, heading } of parts) {
    const { text } = query.statement
    const own = runs.filter(({ statement }) => statement === query.statement)
    if (own.length === 0)
      texts.push(shown({ heading: `${heading}, not run: there are no rows to load it for`, text, plan: [] }))
    for (const { values } of own) {
      texts.push(
        shown({ heading, text, plan: await linesOf(input.executor, `explain (analyze, buffers) ${text}`, values) }),
      )
    }
  }
  return texts
}

/** The executor, noting down what it runs. */
function recording(executor: Executor, runs: Run[]): Executor {
  return {
    execute(statement, values, sink, options) {
      runs.push({ statement, values })
      return executor.execute(statement, values, sink, options)
    },
    batch(items, options) {
      runs.push(...items)
      return executor.batch(items, options)
    },
    cursor: (...call) => executor.cursor(...call),
  }
}

const readFirst = compileTextReader([0])

/** The lines that a statement answers with. */
async function linesOf(executor: Executor, text: string, values: readonly WireValue[]): Promise<string[]> {
  const lines: string[] = []
  await executor.execute(createStatement(text, { prepare: false }), values, (chunk, start, end) =>
    lines.push(readFirst(chunk, start, end)[0] ?? ''),
  )
  return lines
}

function shown({ heading, text, plan }: { heading: string; text: string; plan: readonly string[] }): string {
  return [...(heading ? [heading] : []), text, ...plan.map((line) => `  ${line}`)].join('\n')
}
