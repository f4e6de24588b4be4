import { readTexts, type Postgres } from '../../../postgres/index.ts'
import { LatestProgress } from '../latest-progress.ts'
import type { Bulletin } from './bulletin.ts'
import { storeProgress } from './statements.ts'

/** How far the runs of a worker are, as the tables and those who watch them are told; `worker` is the id that it has at the moment. */
export function databaseProgress(
  postgres: Postgres,
  { bulletin, worker }: { readonly bulletin: Bulletin; readonly worker: () => string },
): LatestProgress {
  return new LatestProgress(async (latest) => {
    const ids = [...latest.keys()].map(({ id }) => id)
    const rows = await readTexts(postgres, storeProgress, [worker(), ids, [...latest.values()]])
    bulletin.changed(rows.filter(([, watched]) => watched === 't').map(([id]) => id!))
  })
}
