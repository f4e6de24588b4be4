import { inject } from 'vitest'
import { observe } from '../../../src/core/events.ts'
import { createDb, openPostgres, type Db, type Models, type Postgres } from '../../../src/db/index.ts'
import { createDatabase, embeddedDatabase } from '../../servers/database.ts'
import { blogSql, relations } from './blog.ts'
import { ledgerSql, relations as ledgerRelations } from './ledger.ts'

/** The engines that every queryset test runs on. */
export const engines: readonly string[] = inject('postgresUrl') ? ['pglite', 'postgres'] : ['pglite']

export interface Opened<S extends Models> {
  readonly db: Db<S>
  readonly postgres: Postgres
  /** Runs `work`; resolves with its result and the statements it took, without those that open and close transactions. */
  counted<T>(work: () => PromiseLike<T>): Promise<{ result: T; statements: string[] }>
  close(): Promise<void>
}

export type Blog = Opened<typeof relations>
export type Ledger = Opened<typeof ledgerRelations>

export interface OpenOptions {
  readonly maxShapes?: number
}

/** The blog in a database of its own. */
export function openBlog(engine: string, options?: OpenOptions): Promise<Blog> {
  return open(engine, { relations, setUp: blogSql, ...options })
}

/** The ledger in a database of its own. */
export function openLedger(engine: string, options?: OpenOptions): Promise<Ledger> {
  return open(engine, { relations: ledgerRelations, setUp: ledgerSql, ...options })
}

/** Any schema in a database of its own; `setUp` is SQL, a statement a line. */
export async function open<S extends Models>(
  engine: string,
  { relations, setUp, maxShapes }: OpenOptions & { relations: S; setUp: string },
): Promise<Opened<S>> {
  const database = engine === 'pglite' ? embeddedDatabase : await createDatabase()
  const postgres = await openPostgres({ url: database.url })
  const db = createDb({
    relations,
    postgres,
    secret: 'a secret for tests',
    ...(maxShapes === undefined ? {} : { maxShapes }),
  })
  for (const statement of setUp.split(';\n')) if (statement.trim()) await db.drizzle.execute(statement)
  return {
    db,
    postgres,
    async counted(work) {
      const statements: string[] = []
      const stop = observe((event) => {
        if (event.type === 'statement' && !/^(begin|commit|rollback|savepoint|release|close|set)\b/i.test(event.text)) {
          statements.push(event.text)
        }
      })
      try {
        return { result: await work(), statements }
      } finally {
        stop()
      }
    },
    async close() {
      await postgres.close()
      await database.drop()
    },
  }
}
