/** A field as RFC 4180 has it; one that was in quotes is known by that. */
export interface CsvField {
  readonly text: string
  readonly quoted: boolean
}

/** Reads CSV by the grammar of RFC 4180, strictly: anything else throws. */
export function parseCsv(text: string, separator = ','): CsvField[][] {
  const records: CsvField[][] = []
  let at = 0
  while (at < text.length) {
    const record: CsvField[] = []
    for (;;) {
      const field = text[at] === '"' ? quoted() : plain()
      record.push(field)
      if (text[at] === separator) at++
      else break
    }
    if (text.slice(at, at + 2) !== '\r\n') throw new SyntaxError(`No CRLF at ${at}: ${text.slice(at, at + 20)}`)
    at += 2
    records.push(record)
  }
  return records

  function quoted(): CsvField {
    let value = ''
    for (at++; ;) {
      const end = text.indexOf('"', at)
      if (end < 0) throw new SyntaxError('A quote is open at the end.')
      value += text.slice(at, end)
      at = end + 1
      if (text[at] !== '"') return { text: value, quoted: true }
      value += '"'
      at++
    }
  }

  function plain(): CsvField {
    const start = at
    while (at < text.length && text[at] !== separator && text[at] !== '\r') {
      if (text[at] === '"' || text[at] === '\n') throw new SyntaxError(`Not to be without quotes, at ${at}.`)
      at++
    }
    return { text: text.slice(start, at), quoted: false }
  }
}
