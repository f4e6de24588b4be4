import type { Measurement } from '../../harness/measure.ts'
import type { SuiteContext } from './suite-context.ts'

/** One row of the results. */
export interface CacheWorkload {
  readonly name: string
  readonly title: string
  run(context: SuiteContext): Promise<Record<string, Measurement>>
}
