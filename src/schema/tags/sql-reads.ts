import type { Model, ModelGraph } from '../model.ts'
import { isUnknownCall } from './sql-functions.ts'
import { mayName, SqlStatement } from './sql-statement.ts'
import { readSqlTokens } from './sql-tokens.ts'

/** Keywords that end the list of tables of a FROM, at the depth of that FROM. */
const endOfFrom: ReadonlySet<string> = new Set(
  'where group having window order limit offset fetch for union intersect except returning select'.split(' '),
)

/**
 * The models that SQL inside a condition reads in sub-selects of its own: every one that it names. `unknown` when it may
 * read others too: it calls a function that is not PostgreSQL's own, or reads from something that is no model, such as a view.
 * `text` may have anything that is no name in place of its values.
 */
export function modelsReadBy(graph: ModelGraph, text: string): readonly Model[] | 'unknown' {
  const { tokens, unsure } = readSqlTokens(text)
  if (unsure) return 'unknown'
  const models = [...graph.models.values()]
  const statement = new SqlStatement(tokens)
  // Without a query of its own it can name no rows but those of the condition's own tables.
  const queries = statement.has('select') || statement.has('table')
  const found = new Set<Model>()
  // By depth of parentheses: whether a comma there is one between the tables of a FROM.
  const inFrom: boolean[] = [false]
  // What a WITH names is a table of the text's own.
  const own = new Set(tokens.flatMap((_, at) => (isNamedByWith(statement, at) ? [statement.name(at)!.name] : [])))
  for (let at = 0; at < tokens.length; at++) {
    const mark = statement.mark(at)
    if (mark === '(') inFrom.push(false)
    if (mark === ')' && inFrom.length > 1) inFrom.pop()
    const word = statement.word(at)
    if (endOfFrom.has(word)) inFrom[inFrom.length - 1] = false
    const opens = isFrom(statement, at) || word === 'join' || (word === 'table' && isFirst(statement, at))
    if (opens || (mark === ',' && inFrom.at(-1))) {
      if (word === 'from') inFrom[inFrom.length - 1] = true
      const source = statement.name(statement.skip(at + 1, 'lateral', 'only'))
      const isCall = source !== undefined && statement.mark(source.next) === '('
      if (source && !isCall && !own.has(source.name) && !models.some((model) => mayName(source, model)))
        return 'unknown'
    }
    const name = statement.name(at)
    if (name === undefined) continue
    const isCall = statement.mark(name.next) === '(' && !isAlias(statement, at) && !own.has(name.name)
    if (isCall && isUnknownCall(name)) return 'unknown'
    // A name may be that of a table at any place: `posts.id` reads no other, but may do so inside of a sub-select.
    const parts = queries ? tokens.slice(at, name.next) : []
    for (const part of parts) {
      const text = part.kind === 'name' ? part.text : ''
      for (const model of models) if (mayName({ schema: undefined, name: text }, model)) found.add(model)
    }
    at = name.next - 1
  }
  return [...found]
}

/** `… as x(id)`, `unnest(…) x(id)` */
function isAlias(statement: SqlStatement, at: number): boolean {
  return statement.word(at - 1) === 'as' || statement.mark(at - 1) === ')'
}

/** FROM as it begins a list of tables, not as in `extract(year from …)`, `is distinct from …` and `trim(… from …)`. */
function isFrom(statement: SqlStatement, at: number): boolean {
  if (statement.word(at) !== 'from' || statement.word(at - 1) === 'distinct') return false
  for (let before = at - 1, depth = 0; before >= 0; before--) {
    const mark = statement.mark(before)
    if (mark === ')') depth++
    if (mark === '(') depth--
    if (depth < 0) return !['extract', 'trim', 'substring', 'overlay', 'position'].includes(statement.word(before - 1))
    if (depth === 0 && statement.word(before) === 'select') return true
  }
  return true
}

/** TABLE as a query: at the front, or the first in parentheses. */
function isFirst(statement: SqlStatement, at: number): boolean {
  return at === 0 || statement.mark(at - 1) === '('
}

/** `with x as (…)`, also with columns and with further names after a comma. */
function isNamedByWith(statement: SqlStatement, at: number): boolean {
  const name = statement.tokens[at]?.kind === 'name' ? statement.name(at) : undefined
  if (!name || name.schema !== undefined || !statement.has('with')) return false
  if (!['with', 'recursive'].includes(statement.word(at - 1)) && statement.mark(at - 1) !== ',') return false
  let next = name.next
  if (statement.mark(next) === '(') {
    while (next < statement.tokens.length && statement.mark(next) !== ')') next++
    next++
  }
  next = statement.word(next) === 'as' ? next + 1 : -1
  return next > 0 && statement.mark(statement.skip(next, 'not', 'materialized')) === '('
}
