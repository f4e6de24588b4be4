import type { Measurement } from '../../harness/measure.ts'
import type { SuiteResult } from '../../harness/report.ts'
import type { Target } from '../../harness/targets.ts'
import { encodeTargets } from './encode.ts'
import { firstFrameTargets } from './first-frame.ts'
import { scaleOutTargets } from './scale-out.ts'

const of =
  (workload: string, contestant: string, read: (measurement: Measurement) => number | undefined) =>
  ({ workloads }: SuiteResult): number | undefined => {
    const measurement = workloads[workload]?.[contestant]
    return measurement && read(measurement)
  }

const ratio = (measurement: Measurement): number => measurement.ratio
const rssMb = (measurement: Measurement): number | undefined => measurement.rssMb

/** What the suite is for. */
export const fileTargets: readonly Target[] = [
  { text: 'disk-full: ÷ @fastify/static', least: 1, value: of('disk-full', 'plimsoll', ratio) },
  { text: 'disk-range: ÷ nginx', least: 0.5, value: of('disk-range', 'plimsoll', ratio) },
  {
    // Without the flag it was measured once, apart from the suite.
    text: 'disk-100: MB held, with `--max-semi-space-size=2` (138 without it: docs/decisions/0012)',
    most: 120,
    value: of('disk-100', 'plimsoll', rssMb),
  },
  ...['s3', 'disk', 'tus'].map((kind) => ({
    text: `upload: ${kind}, MB held above idle`,
    most: 80,
    value: of('upload', `plimsoll-${kind}`, rssMb),
  })),
  ...encodeTargets,
  ...scaleOutTargets,
  ...firstFrameTargets,
]
