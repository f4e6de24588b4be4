import { describeMachine } from '../../harness/machine.ts'
import type { Measurement } from '../../harness/measure.ts'
import { formatTable, type SuiteResult } from '../../harness/report.ts'
import { storeResult } from '../../harness/store-result.ts'
import { checkTargets, listTargets } from '../../harness/targets.ts'
import { diskFullWorkload, diskParallelWorkload, diskRangeWorkload } from './downloads.ts'
import { encodeOptions, encodeTitle, measureEncode } from './encode.ts'
import { FilesContext } from './files-context.ts'
import { writeFilesDocs } from './files-docs.ts'
import { firstFrameOptions, firstFrameTitle, measureFirstFrame } from './first-frame.ts'
import { scaleOutWorkload } from './scale-out.ts'
import { fileTargets } from './targets.ts'
import { uploadWorkload } from './uploads.ts'
import type { FilesWorkload } from './workload.ts'

export interface FilesSuiteOptions {
  /** A quarter of a gigabyte and short rounds, nothing stored. */
  readonly quick: boolean
  /** Default: all. The reference of each workload always takes part. */
  readonly contestants?: readonly string[] | undefined
  /** Default: all; a prefix takes all that begin with it. */
  readonly workloads?: readonly string[] | undefined
}

const workloads: readonly FilesWorkload[] = [
  diskFullWorkload,
  diskRangeWorkload,
  diskParallelWorkload,
  uploadWorkload,
  {
    name: 'encode',
    title: encodeTitle,
    run: ({ quick }) => measureEncode(quick ? encodeOptions.quick : encodeOptions.whole),
  },
  scaleOutWorkload,
  {
    name: 'first-frame',
    title: firstFrameTitle,
    run: ({ quick }) => measureFirstFrame(quick ? firstFrameOptions.quick : firstFrameOptions.whole),
  },
]

/** The suite `files`. Prints a table per workload and whether the targets were met; a run with all contestants also stores them. */
export async function runFilesSuite(options: FilesSuiteOptions): Promise<void> {
  const chosen = workloads.filter(({ name }) => options.workloads?.some((prefix) => name.startsWith(prefix)) ?? true)
  const { quick, contestants } = options
  await using context = new FilesContext({ quick, contestants })
  const machine = describeMachine({})
  console.log(`${machine.cores} × ${machine.cpu}, Node ${machine.node}`)
  const measured: Record<string, Record<string, Measurement>> = {}
  for (const workload of chosen) {
    measured[workload.name] = await workload.run(context)
    console.log(`\n${formatTable(`${workload.name}: ${workload.title}`, measured[workload.name]!)}`)
  }
  const result: SuiteResult = { suite: 'files', machine, workloads: measured }
  console.log(`\n${listTargets(checkTargets(result, fileTargets))}`)
  if (quick || contestants) return
  const stored = storeResult(result, { part: options.workloads !== undefined })
  if (stored !== undefined) writeFilesDocs(stored)
}
