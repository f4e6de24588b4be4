import { LRUCache } from 'lru-cache'

/** What a span says of a statement. */
export interface StatementSummary {
  /** Its first word, such as `SELECT`. */
  readonly operation: string
  /** The operation and the tables it names first, such as `SELECT posts users`: the same for all statements of a kind. */
  readonly summary: string
  /** The statement, without the strings that somebody may have written into it; cut where it is very long. */
  readonly text: string
}

/** The semantic conventions want summaries no longer than this. */
const maxSummary = 255
/** As much of a statement as is read and shown: one that imports rows may be as long as they are. */
const maxText = 8000
const maxTables = 5
/** How many statements are remembered. */
const maxStatements = 500

const name = String.raw`(?:"[^"]+"|[a-z_][\w$]*)`
const table = new RegExp(
  String.raw`\b(?:(?<!\bdistinct\s)from|join|into|update)\s+(?:only\s+)?(${name}(?:\.${name})?)`,
  'gi',
)

/** A quoted name, which stays; a comment; and what PostgreSQL takes for a string, in each of the ways to write one. */
const quoted =
  /"(?:[^"]|"")*"|--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|\$((?:[a-z_]\w*)?)\$[\s\S]*?(?:\$\1\$|$)|\be'(?:[^'\\]|''|\\[\s\S])*(?:'|$)|'(?:[^']|'')*(?:'|$)/gi

/**
 * Makes a function that says of a statement what spans say of it, after the semantic conventions of OpenTelemetry for `db.query.summary`
 * and `db.query.text` (https://opentelemetry.io/docs/specs/semconv/database/database-spans/). It remembers statements.
 */
export function createSummarizer(): (sql: string) => StatementSummary {
  const summaries = new LRUCache<string, StatementSummary>({ max: maxStatements })
  return (sql) => {
    // A long one is not kept: it would be there as often as it is run with other values in it.
    if (sql.length > maxText) return summarize(sql.slice(0, maxText))
    let summary = summaries.get(sql)
    if (!summary) summaries.set(sql, (summary = summarize(sql)))
    return summary
  }
}

function summarize(sql: string): StatementSummary {
  const text = withoutStrings(sql)
  const operation = /^[\s(]*([a-z]+)/i.exec(text)?.[1]?.toUpperCase() ?? 'SQL'
  const tables = new Set<string>()
  for (const [, found = ''] of text.matchAll(table)) {
    tables.add(found.replaceAll('"', ''))
    if (tables.size === maxTables) break
  }
  return { operation, summary: [operation, ...tables].join(' ').slice(0, maxSummary), text }
}

/** Our own statements have parameters for what is not in the schema; those that an application writes itself may not. */
function withoutStrings(sql: string): string {
  return sql.replace(quoted, (found) => {
    if (found.startsWith('"')) return found
    return found.startsWith('--') || found.startsWith('/*') ? '' : '?'
  })
}
