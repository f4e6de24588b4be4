import { sql } from 'drizzle-orm'
import type { Db, Tx } from 'plimsoll'
import type { relations } from '../schema.ts'
import { makeContent } from './make-content.ts'

/** Rows per statement: large enough to be fast, small enough to hold in memory twice. */
const rowsPerStatement = 10_000
/** The key of an advisory lock; any number, the same for every process of the studio. */
const seedLock = 1_876_001

/**
 * Fills the tables with an invented publishing house when they are empty; `report` gets a line per table. All of it is one
 * transaction: a process that is killed on the way leaves nothing behind, and the next start begins again. Of several
 * processes that start at once, one works and the others wait.
 */
export async function seedWhenEmpty(db: Db<typeof relations>, report: (line: string) => void): Promise<void> {
  const fill = async (tx: Tx<typeof relations>): Promise<void> => {
    await tx.drizzle.execute(sql`select pg_advisory_xact_lock(${seedLock})`)
    if (await tx.users.exists()) return
    const started = performance.now()
    report('First start: filling the database with an invented publishing house')
    await seed(tx, report)
    // PGlite has no autovacuum, and estimated totals need statistics.
    await tx.drizzle.execute(sql`analyze`)
    report(`  done in ${((performance.now() - started) / 1000).toFixed(1)} s`)
  }
  // No time-out: the others wait for as long as the first one works.
  await db.transaction(fill, { statementTimeout: 0 })
}

async function seed(tx: Tx<typeof relations>, report: (line: string) => void): Promise<void> {
  const content = makeContent()
  const insert = async <Row>(
    name: string,
    rows: readonly Row[],
    createMany: (some: readonly Row[]) => Promise<unknown>,
  ): Promise<void> => {
    for (let first = 0; first < rows.length; first += rowsPerStatement) {
      await createMany(rows.slice(first, first + rowsPerStatement))
    }
    report(`  ${rows.length.toLocaleString('en')} ${name}`)
  }
  await insert('users', content.users, (rows) => tx.users.createMany(rows))
  await insert('channels', content.channels, (rows) => tx.channels.createMany(rows))
  await insert('tags', content.tags, (rows) => tx.tags.createMany(rows))
  await insert('videos', content.videos, (rows) => tx.videos.createMany(rows))
  await insert('articles', content.articles, (rows) => tx.articles.createMany(rows))
  await insert('tags of videos', content.videoTags, (rows) => tx.videoTags.createMany(rows))
  await insert('tags of articles', content.articleTags, (rows) => tx.articleTags.createMany(rows))
  await insert('comments', content.comments, (rows) => tx.comments.createMany(rows))
  // The ids were given, so the sequences have not moved yet.
  for (const table of ['users', 'channels', 'tags', 'videos', 'articles', 'comments']) {
    await tx.drizzle.execute(
      sql`select setval(pg_get_serial_sequence(${table}, 'id'), (select max(id) from ${sql.identifier(table)}))`,
    )
  }
}
