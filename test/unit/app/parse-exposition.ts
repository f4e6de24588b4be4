/** One line of a metric. */
export interface ParsedSample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** One metric as a scraper sees it. */
export interface ParsedFamily {
  readonly name: string
  readonly help: string
  readonly type: string
  readonly samples: readonly ParsedSample[]
}

/** What has been read of a metric so far. */
interface OpenFamily {
  readonly name: string
  readonly help: string
  type: string
  readonly samples: ParsedSample[]
}

const number = /^(?:[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?|[+-]Inf|NaN)$/

/**
 * Reads metrics as strictly as the two formats are written down, and stricter than Prometheus: HELP, then TYPE, then the samples of
 * one metric together; no metric and no set of labels twice; buckets in order, cumulative, and ending with the count.
 */
export function parseExposition(text: string, format: 'text' | 'openmetrics' = 'text'): Map<string, ParsedFamily> {
  if (!text.endsWith('\n')) throw new Error('The last line does not end.')
  const lines = text.slice(0, -1).split('\n')
  if (format === 'openmetrics' && lines.pop() !== '# EOF') throw new Error('OpenMetrics ends with # EOF.')
  const families = new Map<string, OpenFamily>()
  let open: OpenFamily | undefined
  for (const line of lines) {
    const help = /^# HELP ([a-zA-Z_:][\w:]*) (.*)$/.exec(line)
    const type = /^# TYPE ([a-zA-Z_:][\w:]*) (counter|gauge|histogram)$/.exec(line)
    if (help) {
      const [, name = '', escaped = ''] = help
      if (families.has(name)) throw new Error(`${name} is there twice.`)
      const quotes = format === 'openmetrics'
      open = { name, help: unescape(escaped, quotes), type: '', samples: [] }
      families.set(name, open)
    } else if (type) {
      if (open?.name !== type[1] || open?.type !== '') throw new Error(`TYPE does not follow HELP: ${line}`)
      open.type = type[2]!
      if (open.type === 'counter' && open.name.endsWith('_total') === (format === 'openmetrics')) {
        throw new Error(`A counter's family is not called ${open.name} in this format.`)
      }
    } else {
      if (!open || open.type === '') throw new Error(`Not a sample of an open metric: ${line}`)
      const sample = parseSample(line)
      if (!namesOf(open, format).includes(sample.name)) throw new Error(`${sample.name} is no sample of ${open.name}.`)
      open.samples.push(sample)
    }
  }
  for (const family of families.values()) check(family, format)
  return families
}

function namesOf({ name, type }: OpenFamily, format: string): string[] {
  if (type === 'histogram') return [`${name}_bucket`, `${name}_sum`, `${name}_count`]
  return [type === 'counter' && format === 'openmetrics' ? `${name}_total` : name]
}

function parseSample(line: string): ParsedSample {
  const name = /^[a-zA-Z_:][\w:]*/.exec(line)?.[0]
  if (name === undefined) throw new Error(`No name: ${line}`)
  let rest = line.slice(name.length)
  const labels: Record<string, string> = {}
  if (rest.startsWith('{')) {
    rest = rest.slice(1)
    for (;;) {
      const pair = /^([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/.exec(rest)
      if (!pair) throw new Error(`No label at ${rest} of ${line}`)
      const [whole, label = '', value = ''] = pair
      if (label in labels) throw new Error(`The label ${label} is there twice: ${line}`)
      labels[label] = unescape(value, true)
      rest = rest.slice(whole.length)
      if (rest.startsWith('}')) break
      if (!rest.startsWith(',')) throw new Error(`No comma at ${rest} of ${line}`)
      rest = rest.slice(1)
    }
    rest = rest.slice(1)
  }
  if (!rest.startsWith(' ') || !number.test(rest.slice(1))) throw new Error(`No number: ${line}`)
  return { name, labels, value: toNumber(rest.slice(1)) }
}

function toNumber(text: string): number {
  return Number(text.replace('Inf', 'Infinity'))
}

function unescape(text: string, quotes: boolean): string {
  return text.replace(/\\(.?)/g, (_, escaped: string) => {
    if (escaped === 'n') return '\n'
    if (escaped === '\\' || (quotes && escaped === '"')) return escaped
    throw new Error(`\\${escaped} is no escape.`)
  })
}

function check(family: OpenFamily, format: string): void {
  const keys = family.samples.map(({ name, labels }) => JSON.stringify([name, Object.entries(labels).toSorted()]))
  if (new Set(keys).size !== keys.length) throw new Error(`${family.name} has a set of labels twice.`)
  if (family.type === '') throw new Error(`${family.name} has no TYPE.`)
  if (family.type !== 'gauge' && family.samples.some(({ value }) => !(value >= 0))) {
    throw new Error(`${family.name} counts below zero.`)
  }
  if (family.type === 'histogram') checkHistogram(family, format)
}

/** Each set of labels has its buckets, its sum and its count, in this order and together. */
function checkHistogram({ name, samples }: OpenFamily, format: string): void {
  let rest = samples
  while (rest.length > 0) {
    const end = rest.findIndex((sample) => sample.name === `${name}_sum`)
    const buckets = rest.slice(0, end)
    const [sum, count] = rest.slice(end, end + 2)
    if (end < 1 || count?.name !== `${name}_count`) throw new Error(`A histogram of ${name} is not whole.`)
    const bounds = buckets.map(({ labels }) => labels['le'] ?? 'none')
    if (bounds.at(-1) !== '+Inf') throw new Error(`The last bucket of ${name} has a bound.`)
    if (format === 'openmetrics' && bounds.some((bound) => !/\.|^\+Inf$/.test(bound))) throw new Error(`${bounds}`)
    for (const [at, bucket] of buckets.entries()) {
      const before = buckets[at - 1]
      if (before && toNumber(bounds[at - 1]!) >= toNumber(bounds[at]!)) throw new Error(`${name} is out of order.`)
      if (before && before.value > bucket.value) throw new Error(`The buckets of ${name} are not cumulative.`)
    }
    if (buckets.at(-1)!.value !== count.value) throw new Error(`The buckets of ${name} do not end with its count.`)
    const sets = [...buckets, sum!, count].map(({ labels }) => JSON.stringify({ ...labels, le: undefined }))
    if (new Set(sets).size !== 1) throw new Error(`The labels of a histogram of ${name} differ.`)
    rest = rest.slice(end + 2)
  }
}
