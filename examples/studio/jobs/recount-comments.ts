import { count, inArray, sql } from 'drizzle-orm'
import { defineJob, type Db } from 'plimsoll'
import { z } from 'zod'
import { comments, type relations } from '../schema.ts'

/** How many films are looked at before others get their turn at the database. */
const atOnce = 10

/** Defines the job that counts the comments of every film anew, and corrects those that are wrong. Running it twice does no harm. */
export function defineRecount(db: () => Db<typeof relations>) {
  return defineJob(
    'comments.recount',
    {
      input: z.object({}),
      output: z.object({ films: z.number(), corrected: z.number() }),
      queue: 'upkeep',
      concurrency: 1,
    },
    async (_, { progress, heartbeat }) => {
      const total = await db().videos.count()
      let films = 0
      let corrected = 0
      for (let after = 0; ;) {
        await heartbeat()
        const some = await db()
          .videos.filter({ id: { gt: after } })
          .orderBy('id')
          .limit(atOnce)
        if (some.length === 0) return { films, corrected }
        corrected += await correct(db(), some)
        films += some.length
        after = some.at(-1)!.id
        progress(films, total, `${corrected} corrected`)
      }
    },
  )
}

/** How many of these films had a wrong count. */
async function correct(
  db: Db<typeof relations>,
  films: readonly { readonly id: number; readonly commentCount: number }[],
): Promise<number> {
  const ids = films.map(({ id }) => id)
  const rows = await db.drizzle
    .select({ id: comments.videoId, comments: count() })
    .from(comments)
    .where(inArray(comments.videoId, ids))
    .groupBy(comments.videoId)
  const counts = new Map(rows.map((row) => [row.id, row.comments]))
  const wrong = films.filter(({ id, commentCount }) => commentCount !== (counts.get(id) ?? 0)).map(({ id }) => id)
  if (wrong.length === 0) return 0
  // Counted once more where it is written: somebody may have said something in between.
  return db.videos
    .filter({ id: { in: wrong } })
    .update({ commentCount: sql`(select count(*) from comments where comments.video_id = videos.id)` })
}
