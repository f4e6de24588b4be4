/** A token of SQL, as far as it tells what a statement reads and writes; what is inside of strings and comments is none. */
export type SqlToken =
  /** An identifier or keyword as PostgreSQL folds it: lower case, unless it was quoted. */
  | { readonly kind: 'name'; readonly text: string; readonly quoted: boolean }
  /** A string, a number or a parameter. */
  | { readonly kind: 'value' }
  /** One character of anything else. */
  | { readonly kind: 'mark'; readonly text: string }

/** The tokens of a text of SQL. */
export interface SqlTokens {
  readonly tokens: readonly SqlToken[]
  /**
   * True when the text may mean something else to the server: by a backslash before a quote, which escapes it or does not by
   * the setting `standard_conforming_strings`, or by a name in Unicode escapes, which are not read here.
   */
  readonly unsure: boolean
}

// The server takes every byte above ASCII for a letter.
const nameStart = /[a-z_\u0080-\u{10ffff}]/iu
const namePart = /[\w$\u0080-\u{10ffff}]*/uy
// Not what JavaScript takes for blank: a no-break space is a letter to the server.
const blank = /[ \t\n\r\f\v]/
const digits = /[\w.]*/y
const dollarQuote = /\$(?:[a-z_\u0080-\u{10ffff}][\w\u0080-\u{10ffff}]*)?\$/iuy
const parameter = /\$\d+/y

/** PostgreSQL cuts longer names, in bytes. */
const longestName = 63

/** Splits SQL into tokens by the rules of PostgreSQL's own scanner (its documentation, "Lexical Structure"). */
export function readSqlTokens(sql: string): SqlTokens {
  const tokens: SqlToken[] = []
  let unsure = false
  let at = 0

  const match = (pattern: RegExp): string => {
    pattern.lastIndex = at
    const found = pattern.exec(sql)?.[0] ?? ''
    at += found.length
    return found
  }
  /** Skips what is quoted by `quote`, which stands at `at`; gives what is inside. */
  const quoted = (quote: string, escapes: boolean): string => {
    let inside = ''
    for (at++; at < sql.length; at++) {
      const character = sql[at]!
      if (character === quote) {
        if (sql[at + 1] !== quote) break
        at++
      } else if (character === '\\' && quote === "'") {
        if (escapes) at++
        else if (sql[at + 1] === quote) unsure = true
      }
      inside += character
    }
    at++
    return inside
  }
  const comment = (): void => {
    let depth = 0
    do {
      const two = sql.slice(at, at + 2)
      depth += two === '/*' ? 1 : two === '*/' ? -1 : 0
      at += two === '/*' || two === '*/' ? 2 : 1
    } while (depth > 0 && at < sql.length)
  }

  while (at < sql.length) {
    const character = sql[at]!
    if (blank.test(character)) {
      at++
    } else if (character === '-' && sql[at + 1] === '-') {
      const end = /[\n\r]/g
      end.lastIndex = at
      at = end.exec(sql)?.index ?? sql.length
    } else if (character === '/' && sql[at + 1] === '*') {
      comment()
    } else if (character === "'") {
      quoted("'", false)
      tokens.push({ kind: 'value' })
    } else if (character === '"') {
      tokens.push({ kind: 'name', text: cutName(quoted('"', false)), quoted: true })
    } else if (nameStart.test(character)) {
      const text = match(namePart)
      const prefix = text.toLowerCase()
      if (sql[at] === "'" && ['e', 'b', 'x', 'n'].includes(prefix)) {
        quoted("'", prefix === 'e')
        tokens.push({ kind: 'value' })
      } else if (prefix === 'u' && sql[at] === '&' && (sql[at + 1] === "'" || sql[at + 1] === '"')) {
        at++
        const quote = sql[at]!
        const inside = quoted(quote, false)
        // The escape character can be another one (UESCAPE), so any of it is doubted.
        if (quote === '"') unsure = true
        tokens.push(quote === '"' ? { kind: 'name', text: cutName(inside), quoted: true } : { kind: 'value' })
      } else {
        tokens.push({ kind: 'name', text: cutName(lowerAscii(text)), quoted: false })
      }
    } else if (character === '$') {
      const quote = match(dollarQuote)
      if (quote !== '') {
        const end = sql.indexOf(quote, at)
        at = end < 0 ? sql.length : end + quote.length
        tokens.push({ kind: 'value' })
      } else if (match(parameter) !== '') {
        tokens.push({ kind: 'value' })
      } else {
        at++
        tokens.push({ kind: 'mark', text: '$' })
      }
    } else if (character >= '0' && character <= '9') {
      match(digits)
      tokens.push({ kind: 'value' })
    } else {
      at++
      tokens.push({ kind: 'mark', text: character })
    }
  }
  return { tokens, unsure }
}

/** A name as it is kept: the first 63 bytes. */
export function cutName(name: string): string {
  if (name.length * 3 <= longestName) return name
  const bytes = Buffer.from(name)
  return bytes.length <= longestName
    ? name
    : bytes
        .subarray(0, longestName)
        .toString()
        .replace(/\uFFFD$/, '')
}

/** Only ASCII letters are folded where the database is in UTF-8. */
function lowerAscii(text: string): string {
  return text.replaceAll(/[A-Z]+/g, (letters) => letters.toLowerCase())
}
