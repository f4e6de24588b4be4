import type { Model, ModelGraph, OtherTable } from '../model.ts'
import { cascadeTags, type RowChange } from './cascades.ts'
import { isUnknownCall } from './sql-functions.ts'
import { mayName, splitStatements, type QualifiedName, type SqlStatement } from './sql-statement.ts'
import { readSqlTokens } from './sql-tokens.ts'
import { tableTags } from './table-tags.ts'
import { unknownRowTags } from './written-tags.ts'

/** One table that a statement writes, and what its foreign keys are to be asked for. */
interface SqlWrite {
  readonly target: QualifiedName
  readonly changes: readonly RowChange[]
}

/** What a statement may write: some tables, or nobody knows what. */
type SqlWrites = readonly SqlWrite[] | 'unknown'

const anyUpdate: RowChange = { kind: 'update', columns: 'any' }
const anyChange: readonly RowChange[] = [{ kind: 'delete' }, anyUpdate]

/** How many texts are remembered per schema, none of them longer than this. */
const remembered = { texts: 1000, length: 10_000 }
const answers = new WeakMap<ModelGraph, Map<string, readonly string[]>>()

/**
 * The tags of what SQL of unknown origin may write: one statement or several. The tables are known and the rows are not, so it is
 * `t` and `t*` of every table that is written, with those that foreign keys change behind it; nothing for what only reads; and the
 * tags of all tables where the text does not say what runs (CALL, DO, EXECUTE …).
 *
 * It knows tables by their names. It cannot see what triggers, rules, views, partitions and functions that a SELECT calls
 * among the rows of tables write; only a function that is called for itself (`select refresh()`, `select * from refresh()`) counts as
 * unknown, unless it is PostgreSQL's own.
 *
 * @example tagsOfSql(graph, 'with gone as (delete from posts returning id) select count(*) from gone') // → ['posts', 'posts*']
 */
export function tagsOfSql(graph: ModelGraph, text: string): readonly string[] {
  let known = answers.get(graph)
  if (known === undefined) answers.set(graph, (known = new Map()))
  const before = known.get(text)
  if (before !== undefined) return before
  const tags = readTags(graph, text)
  if (text.length <= remembered.length) {
    // The oldest goes: texts that come back are those of prepared statements, which soon come back again.
    if (known.size >= remembered.texts) known.delete(known.keys().next().value!)
    known.set(text, tags)
  }
  return tags
}

/** `t` and `t*` of every table. */
function allTableTags(graph: ModelGraph): readonly string[] {
  return [...new Set([...graph.models.values()].flatMap((model) => unknownRowTags(tableTags(graph, model))))]
}

function readTags(graph: ModelGraph, text: string): readonly string[] {
  const { tokens, unsure } = readSqlTokens(text)
  if (unsure) return allTableTags(graph)
  const tags = new Set<string>()
  for (const statement of splitStatements(tokens)) {
    const writes = writesOf(statement, 0)
    if (writes === 'unknown') return allTableTags(graph)
    for (const { target, changes } of writes) {
      for (const model of graph.models.values()) {
        if (!mayName(target, model)) continue
        for (const tag of unknownRowTags(tableTags(graph, model))) tags.add(tag)
        addBehind(tags, graph, { table: model, changes })
      }
      for (const table of graph.otherTables) if (mayName(target, table)) addBehind(tags, graph, { table, changes })
    }
  }
  return [...tags]
}

/** What foreign keys do behind a write of a table. */
function addBehind(
  tags: Set<string>,
  graph: ModelGraph,
  { table, changes }: { table: Model | OtherTable; changes: readonly RowChange[] },
): void {
  for (const change of changes) for (const tag of cascadeTags(graph, table, change)) tags.add(tag)
}

/** Statements that change no row, and cannot hold another statement that does. */
const harmless: ReadonlySet<string> = new Set(
  (
    'show set reset begin start commit end rollback abort savepoint release fetch move close listen unlisten notify lock vacuum ' +
    'analyze analyse checkpoint cluster reindex discard comment grant revoke security deallocate load'
  ).split(' '),
)

/** Statements that may hold INSERT, UPDATE, DELETE or MERGE: as they are, in a WITH, or behind EXPLAIN, PREPARE, COPY … */
const holders: ReadonlySet<string> = new Set(
  'select with values table insert update delete merge prepare declare create'.split(' '),
)

/** Objects that can be dropped without a row of a table being changed. */
const dropped: ReadonlySet<string> = new Set(
  'index view materialized trigger function procedure routine aggregate rule policy sequence role user publication'.split(
    ' ',
  ),
)

/** What a statement that begins at `from` writes. */
function writesOf(statement: SqlStatement, from: number): SqlWrites {
  let at = from
  while (statement.mark(at) === '(') at++
  const verb = statement.word(at)
  if (harmless.has(verb)) return []
  if (holders.has(verb)) return callsForItself(statement, at) ? 'unknown' : heldWrites(statement)
  switch (verb) {
    case 'explain':
      return explained(statement, at + 1)
    case 'truncate': {
      const changes = cascades(statement, [])
      return statement.names(statement.skip(at + 1, 'table')).map((target) => ({ target, changes }))
    }
    case 'copy':
      return copied(statement, at + 1)
    case 'alter':
      return altered(statement, at + 1)
    case 'drop': {
      if (statement.word(at + 1) === 'table') {
        const changes = cascades(statement, [])
        return statement.names(statement.skip(at + 2, 'if', 'exists')).map((target) => ({ target, changes }))
      }
      // Dropping with what depends on it may take columns along.
      return dropped.has(statement.word(at + 1)) && !statement.has('cascade') ? [] : 'unknown'
    }
    case 'refresh': {
      // A materialized view may be a model too, as a table.
      const target = statement.name(statement.skip(at + 1, 'materialized', 'view', 'concurrently'))
      return target ? [{ target, changes: [] }] : 'unknown'
    }
    default:
      return 'unknown'
  }
}

function cascades(statement: SqlStatement, otherwise: readonly RowChange[]): readonly RowChange[] {
  return statement.has('cascade') ? [{ kind: 'truncate' }] : otherwise
}

/** EXPLAIN ANALYZE runs its statement; without ANALYZE nothing runs, which is not worth telling apart. */
function explained(statement: SqlStatement, from: number): SqlWrites {
  let at = from
  if (statement.mark(at) === '(') {
    for (let depth = 0; at < statement.tokens.length; at++) {
      depth += statement.mark(at) === '(' ? 1 : statement.mark(at) === ')' ? -1 : 0
      if (depth === 0) break
    }
    at++
  }
  return writesOf(statement, statement.skip(at, 'analyze', 'analyse', 'verbose'))
}

/** `copy t (a, b) from stdin` writes; `copy t to …` reads; `copy (query) to …` does what the query does. */
function copied(statement: SqlStatement, at: number): SqlWrites {
  if (statement.mark(at) === '(') return writesOf(statement, at)
  const target = statement.name(statement.skip(at, 'binary'))
  if (!target) return 'unknown'
  return statement.has('from') ? [{ target, changes: [] }] : []
}

function altered(statement: SqlStatement, at: number): SqlWrites {
  const kind = statement.word(at)
  if (kind === 'table' || (kind === 'foreign' && statement.word(at + 1) === 'table')) {
    const from = at + (kind === 'table' ? 1 : 2)
    const target = statement.name(statement.skip(from, 'if', 'exists', 'only'))
    return target ? [{ target, changes: cascades(statement, []) }] : 'unknown'
  }
  return dropped.has(kind) || kind === 'default' || kind === 'database' || kind === 'system' ? [] : 'unknown'
}

/** The INSERT, UPDATE, DELETE and MERGE anywhere in a statement. */
function heldWrites(statement: SqlStatement): readonly SqlWrite[] {
  const writes: SqlWrite[] = []
  const add = (at: number, changes: readonly RowChange[]): void => {
    const target = statement.name(statement.skip(at, 'only'))
    if (target) writes.push({ target, changes })
  }
  statement.tokens.forEach((_, at) => {
    const next = statement.word(at + 1)
    switch (statement.word(at)) {
      case 'insert':
        if (next === 'into') add(at + 2, statement.has('conflict') ? [anyUpdate] : [])
        break
      case 'update':
        if (!notAStatement.has(statement.word(at - 1))) add(at + 1, [anyUpdate])
        break
      case 'delete':
        if (next === 'from') add(at + 2, [{ kind: 'delete' }])
        break
      case 'merge':
        if (next === 'into') add(at + 2, anyChange)
        break
    }
  })
  return writes
}

/** Before UPDATE: `for update`, `for no key update`, `do update set`, `then update set`, `on update cascade`. */
const notAStatement: ReadonlySet<string> = new Set(['for', 'key', 'do', 'then', 'on'])

/**
 * True for a SELECT that calls a function and reads no table: `select refresh($1)`, `select * from refresh()`. Then the function is
 * what it is about, and what that does, nobody knows.
 */
function callsForItself(statement: SqlStatement, at: number): boolean {
  if (!['select', 'with'].includes(statement.word(at))) return false
  let calls = false
  for (let i = at + 1; i < statement.tokens.length; i++) {
    const name = statement.name(i)
    if (!name) continue
    const called = statement.mark(name.next) === '('
    const source = ['from', 'join'].includes(statement.word(i - 1))
    if (source && !called) return false
    if (called && isUnknownCall(name)) calls = true
    i = name.next - 1
  }
  return calls
}
