import type { ExpositionFormat } from './exposition.ts'

interface MediaRange {
  readonly type: string
  readonly version: string | undefined
  readonly quality: number
}

/**
 * The format that a scraper likes best, by its Accept header (RFC 9110, section 12.5.1): OpenMetrics for one that asks for
 * version 1.0.0 of it, or for no version, at least as much as for text; else text, also for one that takes neither.
 */
export function negotiateFormat(accept: string | undefined): ExpositionFormat {
  // A header of any length may come; the one of Prometheus has 250 characters.
  const ranges = (accept ?? '').slice(0, 1000).split(',').map(parseRange)
  const openMetrics = best(
    ranges.filter(({ type, version }) => type === 'application/openmetrics-text' && (version ?? '1.0.0') === '1.0.0'),
  )
  if (openMetrics === 0) return 'text'
  const text = best(ranges.filter(({ type, version }) => type === 'text/plain' && (version ?? '0.0.4') === '0.0.4'))
  return openMetrics >= text ? 'openmetrics' : 'text'
}

function best(ranges: readonly MediaRange[]): number {
  return Math.max(0, ...ranges.map(({ quality }) => quality))
}

function parseRange(text: string): MediaRange {
  const [type = '', ...rest] = text.split(';').map((part) => part.trim().toLowerCase())
  const parameters = new Map(rest.map((part) => [part.slice(0, part.indexOf('=')).trim(), valueOf(part)]))
  const quality = Number(parameters.get('q') ?? 1)
  return { type, version: parameters.get('version'), quality: quality >= 0 && quality <= 1 ? quality : 0 }
}

function valueOf(parameter: string): string {
  return parameter
    .slice(parameter.indexOf('=') + 1)
    .trim()
    .replace(/^"(.*)"$/, '$1')
}
