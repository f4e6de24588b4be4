import type { NodePgDatabase } from 'drizzle-orm/node-postgres'
import type { Db, Tx } from '../../src/db/types.ts'
import { expectType } from './expect-type.ts'
import { db, type Post } from './fixture.ts'
import { posts, type relations } from './schema.ts'

type Relations = typeof relations
declare const transaction: Tx<Relations>

expectType<Post>()(await db.transaction((tx) => tx.posts.create({ title: 'a', authorId: 1 })), true)
expectType<number>()(
  await db.transaction(
    async (tx) => {
      tx.afterCommit(() => undefined)
      tx.afterCommit(async () => undefined)
      await tx.transaction(async (inner) => inner.posts.filter({ id: 1 }).delete())
      return tx.posts.count()
    },
    { isolation: 'serializable', readOnly: false, retries: 3 },
  ),
  true,
)
// @ts-expect-error unknown isolation level
void db.transaction(async () => undefined, { isolation: 'snapshot' })
// @ts-expect-error a transaction waits for its work
void db.transaction(() => 1)
// @ts-expect-error only a transaction commits
db.afterCommit(() => undefined)
// @ts-expect-error savepoints have no isolation level
void db.transaction((tx) => tx.transaction(async () => undefined, { isolation: 'serializable' }))
// @ts-expect-error models cannot be replaced
db.posts = transaction.posts

// a function that takes the database takes a transaction too
declare function rename(on: Db<Relations>): Promise<number>
void db.transaction((tx) => rename(tx))
void rename(transaction)

// all of Drizzle
const drizzle: NodePgDatabase<Relations> = db.drizzle
expectType<{ id: number }[]>()(await drizzle.select({ id: posts.id }).from(posts), true)
expectType<{ title: string } | undefined>()(await db.drizzle.query.posts.findFirst({ columns: { title: true } }), true)
void db.transaction((tx) => tx.drizzle.select().from(posts))
