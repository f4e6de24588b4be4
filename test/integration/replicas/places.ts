import { defineRelations } from 'drizzle-orm'
import { boolean, integer, pgTable } from 'drizzle-orm/pg-core'
import { onTestFinished } from 'vitest'
import { observe, type PlimsollEvent } from '../../../src/core/events.ts'
import { createDb, openPostgres, type Db, type Postgres, type PostgresOptions } from '../../../src/db/index.ts'
import { startPostgres, type PostgresServer } from '../../servers/postgres.ts'
import { query, startReplica, type Replica } from '../../servers/replica.ts'

/** A view whose rows tell which server answers. */
const places = pgTable('places', {
  id: integer().primaryKey(),
  noteId: integer('note_id').notNull(),
  standby: boolean().notNull(),
})

const notes = pgTable('notes', { id: integer().primaryKey(), n: integer().notNull() })

export const relations = defineRelations({ places, notes }, (r) => ({
  places: {
    notes: r.many.notes({ from: r.places.noteId, to: r.notes.id }),
    note: r.one.notes({ from: r.places.noteId, to: r.notes.id, optional: false }),
  },
  notes: { places: r.many.places({ from: r.notes.id, to: r.places.noteId }) },
}))

/** Made on the primary before it is copied. */
export const placesSql = `
  create table notes (id int primary key, n int not null);
  insert into notes select i, 0 from generate_series(1, 20) as i;
  create view places as select i as id, i as note_id, pg_is_in_recovery() as standby from generate_series(1, 20) as i;
`

/** A primary with places, a replica of it, and the end of both. */
export async function startPair(): Promise<{ primary: PostgresServer; replica: Replica; stop: () => Promise<void> }> {
  const primary = (await startPostgres())!
  try {
    await query(primary.url, placesSql)
    const replica = await startReplica(primary.url)
    return {
      primary,
      replica,
      stop: async () => {
        await replica.stop()
        await primary.stop()
      },
    }
  } catch (error) {
    await primary.stop()
    throw error
  }
}

/** The door to a primary and its replicas, closed when the test ends. */
export async function openPlaces(
  options: PostgresOptions,
): Promise<{ postgres: Postgres; db: Db<typeof relations>; passed: () => string[] }> {
  const postgres = await openPostgres(options)
  const db = createDb({ relations, postgres, secret: 'a secret for tests' })
  const events: PlimsollEvent[] = []
  const stop = observe((event) => void events.push(event))
  onTestFinished(async () => {
    stop()
    await postgres.close()
  })
  return {
    postgres,
    db,
    /** Why reads went to the primary since it was asked last. */
    passed: () => events.splice(0).flatMap((event) => (event.type === 'replica.passed' ? [event.reason] : [])),
  }
}
