import { createDb } from '../db/create-db.ts'
import type { Models } from '../db/types/model.ts'
import { ensureJobTables } from '../jobs/drivers/database/job-tables.ts'
import { ensureHandedTables } from '../jobs/drivers/rabbitmq/handed-tables.ts'
import { ensureScheduleTable } from '../jobs/schedule/schedule-table.ts'
import { ensureFlowTables } from '../jobs/workflow/flow-tables.ts'
import { ensureUploadTables } from '../files/uploads/upload-table.ts'
import { ensureOutboxTable, installTriggers, removeTriggers, type InstalledTriggers } from '../outbox/index.ts'
import { openPostgres } from '../postgres/index.ts'
import { buildModelGraph } from '../schema/index.ts'
import { embeddedDatabase, optionOrEnvironment } from './environment.ts'
import { migrateDatabase } from './migrate.ts'

/** What is done to a database before a service runs on it. */
export interface Migration extends AsyncDisposable {
  /** Runs the migrations of a folder of drizzle-kit that the database has not had yet. */
  migrate(folder: string): Promise<void>
  /** Makes the tables of the outbox, of the jobs and of uploads, which a service makes itself where its role may. */
  prepareTables(): Promise<void>
  /** Installs the triggers that record what others write. */
  installTriggers(): Promise<InstalledTriggers>
  removeTriggers(): Promise<void>
}

/**
 * Opens the database of the environment (DATABASE_URL, else PGlite in `.plimsoll/db`) to migrate it. `onWaiting` is told, in one
 * line, when it is not there yet.
 *
 * @throws PLIMSOLL_SCHEMA_INVALID, PLIMSOLL_DATABASE_UNREACHABLE, PLIMSOLL_OUTBOX_UNAVAILABLE
 */
export async function openMigration(relations: Models, onWaiting: (line: string) => void): Promise<Migration> {
  const graph = buildModelGraph(relations)
  const url = optionOrEnvironment(undefined, 'DATABASE_URL') ?? embeddedDatabase
  const postgres = await openPostgres({ url, onWaiting })
  // No cursor is made here.
  const db = createDb({ relations, graph, postgres, secret: 'unused while migrating' })
  return {
    migrate: (folder) => migrateDatabase(db, folder),
    prepareTables: async () => {
      await ensureOutboxTable(postgres)
      await ensureJobTables(postgres)
      await ensureHandedTables(postgres)
      await ensureFlowTables(postgres)
      await ensureScheduleTable(postgres)
      await ensureUploadTables(postgres)
    },
    installTriggers: () => installTriggers(postgres, graph),
    removeTriggers: () => removeTriggers(postgres),
    [Symbol.asyncDispose]: () => postgres.close(),
  }
}
