import { inject } from 'vitest'
import { observe } from '../../../src/core/events.ts'
import { createDb, openPostgres, type Db } from '../../../src/db/index.ts'
import { createDatabase, embeddedDatabase } from '../../servers/database.ts'
import { blogSql, relations } from './blog.ts'

/** The engines that every queryset test runs on. */
export const engines: readonly string[] = inject('postgresUrl') ? ['pglite', 'postgres'] : ['pglite']

export interface Blog {
  readonly db: Db<typeof relations>
  /** Runs `work`; resolves with its result and the statements it took, without those that open and close transactions. */
  counted<T>(work: () => PromiseLike<T>): Promise<{ result: T; statements: string[] }>
  close(): Promise<void>
}

/** The blog in a database of its own. */
export async function openBlog(engine: string): Promise<Blog> {
  const database = engine === 'pglite' ? embeddedDatabase : await createDatabase()
  const postgres = await openPostgres({ url: database.url })
  const db = createDb({ relations, postgres, secret: 'a secret for tests' })
  for (const statement of blogSql.split(';\n')) if (statement.trim()) await db.drizzle.execute(statement)
  return {
    db,
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
