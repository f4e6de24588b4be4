import { sql } from 'drizzle-orm'
import { migrate } from 'drizzle-orm/node-postgres/migrator'
import type { Models } from '../db/types/model.ts'
import type { Db } from '../db/types.ts'

/** The key of the advisory lock that migrating processes take; any number, the same for all of them. */
const migrationLock = 7_056_209_301

/**
 * Runs those migrations of a folder of drizzle-kit that the database has not had yet, all in one transaction. Of several
 * processes that start at once, one migrates and the others wait for it.
 */
export async function migrateDatabase<S extends Models>(db: Db<S>, folder: string): Promise<void> {
  // A migration takes as long as it takes, and so does waiting for another process's.
  await db.transaction(
    async (tx) => {
      await tx.drizzle.execute(sql`select pg_advisory_xact_lock(${migrationLock})`)
      await migrate(tx.drizzle, { migrationsFolder: folder })
    },
    { statementTimeout: 0 },
  )
}
