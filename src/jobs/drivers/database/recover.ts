import { readTexts, type Postgres } from '../../../postgres/index.ts'
import { mostDeaths } from '../../contract.ts'
import { publishDeath } from '../publish-death.ts'
import { workerDied } from '../worker-died.ts'
import type { Bulletin } from './bulletin.ts'
import { follow } from './follow.ts'
import { toNotice } from './job-rows.ts'
import { recoverJobs } from './statements.ts'

/** Puts back what processes ran that give no heartbeat any more, and tells of it; resolves to what has ended with that. */
export async function recover(postgres: Postgres, bulletin: Bulletin, leaseMs: number): Promise<readonly string[]> {
  const rows = await readTexts(postgres, recoverJobs, [mostDeaths, workerDied, leaseMs])
  bulletin.ready(rows.filter(([, state]) => state === 'waiting').map(([, , , , , ...lane]) => toNotice(lane)))
  const watched = rows.filter(([, , , isWatched]) => isWatched === 't')
  bulletin.changed(watched.filter(([, state]) => state === 'waiting').map(([id]) => id!))
  bulletin.ended(watched.filter(([, state]) => state !== 'waiting').map(([id]) => id!))
  for (const [id, state, name, , , , queue] of rows)
    publishDeath({ id: id!, name: name!, queue: queue!, quarantined: state === 'quarantined' })
  const cancelled = rows.filter(([, state]) => state === 'cancelled')
  await follow(
    postgres,
    bulletin,
    cancelled.map(([, , , , endingKey]) => endingKey!),
  )
  return rows.filter(([, state]) => state !== 'waiting').map(([id]) => id!)
}
