import { readTexts, type Postgres } from '../../../postgres/index.ts'
import type { Bulletin } from './bulletin.ts'
import { toNotice } from './job-rows.ts'
import { followJobs } from './statements.ts'

/**
 * Tells of jobs that may begin now, since the runs that were cancelled with their keys have ended. In a statement of its own: that of the end
 * does not see what was stored meanwhile, and skipped by whoever still saw the run.
 */
export async function follow(
  postgres: Postgres,
  bulletin: Bulletin,
  endedKeys: readonly (string | null)[],
): Promise<void> {
  const keys = endedKeys.filter((key) => key !== null)
  if (keys.length > 0) bulletin.ready((await readTexts(postgres, followJobs, [keys])).map(toNotice))
}
