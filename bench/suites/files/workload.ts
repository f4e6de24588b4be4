import type { Measurement } from '../../harness/measure.ts'
import type { FilesContext } from './files-context.ts'

/** One row of the results. */
export interface FilesWorkload {
  readonly name: string
  readonly title: string
  run(context: FilesContext): Promise<Record<string, Measurement>>
}
