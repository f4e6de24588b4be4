/** A PostgreSQL array as nested arrays of element texts, null for NULL. */
export type ArrayTexts = (string | null | ArrayTexts)[]

/** Reads the text of a PostgreSQL array of any depth, lower bounds (`[0:1]={…}`) included. */
export function parseArrayText(text: string, delimiter: string): ArrayTexts {
  let at = text.indexOf('{')
  const readArray = (): ArrayTexts => {
    const items: ArrayTexts = []
    at += 1
    while (at < text.length) {
      const character = text[at]!
      if (character === '}') {
        at += 1
        return items
      }
      if (character === delimiter) at += 1
      else if (character === '{') items.push(readArray())
      else if (character === '"') items.push(readQuoted())
      else items.push(readBare())
    }
    return items
  }
  const readQuoted = (): string => {
    let value = ''
    let from = at + 1
    for (at = from; at < text.length; at += 1) {
      const character = text[at]
      if (character === '"') break
      if (character === '\\') {
        value += text.slice(from, at)
        at += 1
        from = at
      }
    }
    value += text.slice(from, at)
    at += 1
    return value
  }
  const readBare = (): string | null => {
    const from = at
    while (at < text.length && text[at] !== delimiter && text[at] !== '}') at += 1
    const value = text.slice(from, at)
    return value === 'NULL' ? null : value.replaceAll(/\\(.)/gs, '$1')
  }
  return readArray()
}

/** Writes nested arrays of element texts as the text of a PostgreSQL array. */
export function formatArrayText(items: ArrayTexts, delimiter: string): string {
  const parts = items.map((item) =>
    item === null
      ? 'NULL'
      : typeof item === 'string'
        ? `"${item.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
        : formatArrayText(item, delimiter),
  )
  return `{${parts.join(delimiter)}}`
}
