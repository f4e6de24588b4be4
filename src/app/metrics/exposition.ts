import type { Family, LabelValue, Value } from './family.ts'
import { Histogram } from './histogram.ts'

/** The two forms that scrapers read: Prometheus's text format 0.0.4, and OpenMetrics 1.0.0. */
export type ExpositionFormat = 'text' | 'openmetrics'

/** A {@link Family} of numbers or of histograms. */
export type AnyFamily = Family<Value> | Family<Histogram>

/** The Content-Type of each format. */
export const contentTypes: Readonly<Record<ExpositionFormat, string>> = {
  text: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
}

/**
 * Writes metrics in the Prometheus text format 0.0.4
 * (https://prometheus.io/docs/instrumenting/exposition_formats/), or in OpenMetrics 1.0.0
 * (https://prometheus.io/docs/specs/om/open_metrics_spec/), which differ in the name of a counter's family, in the form of
 * bounds and in the end.
 */
export function writeExposition(families: Iterable<AnyFamily>, format: ExpositionFormat): string {
  const lines: string[] = []
  for (const family of families) {
    const { help, type } = family
    const name = format === 'openmetrics' && type === 'counter' ? family.name.replace(/_total$/, '') : family.name
    lines.push(`# HELP ${name} ${escapeHelp(help, format)}`, `# TYPE ${name} ${type}`)
    for (const { labels, point } of family.samples) {
      const pairs = family.labels.map((label, at) => pairOf(label, labels[at]!))
      if (point instanceof Histogram) writeHistogram(lines, { name, pairs, point, format })
      else lines.push(`${family.name}${labelsOf(pairs)} ${numberOf(point.value)}`)
    }
  }
  if (format === 'openmetrics') lines.push('# EOF')
  return `${lines.join('\n')}\n`
}

function writeHistogram(
  lines: string[],
  sample: {
    readonly name: string
    readonly pairs: readonly string[]
    readonly point: Histogram
    readonly format: ExpositionFormat
  },
): void {
  const { name, pairs, point, format } = sample
  let below = 0
  for (const [at, count] of point.counts.entries()) {
    below += count
    const bound = point.bounds[at]
    const le = bound === undefined ? '+Inf' : boundOf(bound, format)
    lines.push(`${name}_bucket${labelsOf([...pairs, pairOf('le', le)])} ${below}`)
  }
  lines.push(`${name}_sum${labelsOf(pairs)} ${numberOf(point.sumMs / 1000)}`)
  lines.push(`${name}_count${labelsOf(pairs)} ${point.count}`)
}

/** OpenMetrics wants one way of writing each bound, because bounds are labels: whole numbers have a point too. */
function boundOf(bound: number, format: ExpositionFormat): string {
  return format === 'openmetrics' && Number.isInteger(bound) ? `${bound}.0` : String(bound)
}

function labelsOf(pairs: readonly string[]): string {
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

function pairOf(label: string, value: LabelValue): string {
  return `${label}="${escapeLabel(String(value))}"`
}

function escapeLabel(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}

/** Quotes stay as they are in the text format, where an escape that is not known is an error. */
function escapeHelp(text: string, format: ExpositionFormat): string {
  const escaped = text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
  return format === 'openmetrics' ? escaped.replaceAll('"', '\\"') : escaped
}

function numberOf(value: number): string {
  if (value === Infinity) return '+Inf'
  return value === -Infinity ? '-Inf' : String(value)
}
