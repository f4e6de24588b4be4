import { cutName, type SqlToken } from './sql-tokens.ts'

/** A name in SQL, with its schema (and its database before that) when it has one. */
export interface QualifiedName {
  readonly schema: string | undefined
  readonly name: string
  /** The position behind it. */
  readonly next: number
}

/** The tokens of one statement, with what it takes to look for patterns among them. */
export class SqlStatement {
  readonly tokens: readonly SqlToken[]

  constructor(tokens: readonly SqlToken[]) {
    this.tokens = tokens
  }

  /** The keyword at a position; '' for anything else. */
  word(at: number): string {
    const token = this.tokens[at]
    return token?.kind === 'name' && !token.quoted ? token.text : ''
  }

  mark(at: number): string {
    const token = this.tokens[at]
    return token?.kind === 'mark' ? token.text : ''
  }

  has(word: string): boolean {
    return this.tokens.some((_, at) => this.word(at) === word)
  }

  /** The position behind those of `words` that stand at `at`, one after the other. */
  skip(at: number, ...words: readonly string[]): number {
    let next = at
    for (const word of words) if (this.word(next) === word) next++
    return next
  }

  /** The name at a position, such as `posts` or `"app"."posts"`. */
  name(at: number): QualifiedName | undefined {
    const parts: string[] = []
    let next = at
    for (;;) {
      const token = this.tokens[next]
      if (token?.kind !== 'name') break
      parts.push(token.text)
      next++
      if (this.mark(next) !== '.') break
      next++
    }
    const name = parts.at(-1)
    return name === undefined ? undefined : { schema: parts.at(-2), name, next }
  }

  /** The names of a list such as `only a, b.c *`. */
  names(at: number): QualifiedName[] {
    const found: QualifiedName[] = []
    let next = at
    for (;;) {
      const name = this.name(this.skip(next, 'only'))
      if (!name) return found
      found.push(name)
      next = name.next
      if (this.mark(next) === '*') next++
      if (this.mark(next) !== ',') return found
      next++
    }
  }
}

/** The statements of a text. */
export function splitStatements(tokens: readonly SqlToken[]): SqlStatement[] {
  const statements: SqlStatement[] = []
  let from = 0
  const end = (to: number): void => {
    if (to > from) statements.push(new SqlStatement(tokens.slice(from, to)))
    from = to + 1
  }
  tokens.forEach((token, at) => {
    if (token.kind === 'mark' && token.text === ';') end(at)
  })
  end(tokens.length)
  return statements
}

/**
 * True when a name in SQL may be this table. Which table a name without a schema is, the search path says, so it may be any of
 * that name.
 */
export function mayName(
  { schema, name }: Pick<QualifiedName, 'schema' | 'name'>,
  table: { readonly schema: string | undefined; readonly name: string },
): boolean {
  if (name !== cutName(table.name)) return false
  return schema === undefined || table.schema === undefined || schema === cutName(table.schema)
}
