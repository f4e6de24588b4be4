import type { SuiteResult } from './report.ts'

/** What a suite wants one of its figures to be. */
export interface Target {
  /** What it is about, in Markdown. */
  readonly text: string
  readonly least?: number
  readonly most?: number
  /** The figure; undefined when what it needs was not measured. */
  readonly value: (result: SuiteResult) => number | undefined
}

/** A target and what was measured. */
export interface TargetCheck {
  readonly text: string
  /** For example `≥ 0.9`. */
  readonly wanted: string
  readonly measured: number | undefined
  readonly met: boolean
}

export function checkTargets(result: SuiteResult, targets: readonly Target[]): readonly TargetCheck[] {
  return targets.map(({ text, least, most, value }) => {
    const measured = value(result)
    const wanted = least === undefined ? `≤ ${most}` : `≥ ${least}`
    const met = measured !== undefined && (least === undefined ? measured <= most! : measured >= least)
    return { text, wanted, measured, met }
  })
}

/** One Markdown table. */
export function formatTargets(checks: readonly TargetCheck[]): string {
  const rows = checks.map(
    ({ text, wanted, measured, met }) =>
      `| ${text} | ${wanted} | ${measured === undefined ? '–' : rounded(measured)} | ${met ? 'yes' : 'no'} |`,
  )
  return ['| goal | wanted | measured | met |', '| --- | ---: | ---: | --- |', ...rows].join('\n')
}

/** Lines for a terminal, of the targets that were measured. */
export function listTargets(checks: readonly TargetCheck[]): string {
  return checks
    .filter(({ measured }) => measured !== undefined)
    .map(({ text, wanted, measured, met }) => `${met ? '✓' : '✗'} ${text}: ${rounded(measured!)} (${wanted})`)
    .join('\n')
}

const rounded = (value: number): string => (Number.isInteger(value) ? String(value) : value.toFixed(2))
