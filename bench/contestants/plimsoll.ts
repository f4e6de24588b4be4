// Plimsoll as its README shows it: each query is written out where it is used, nothing is prepared or kept by hand.
import { createDb, openPostgres, prefetch, type Db } from 'plimsoll/db'
import { relations } from '../schema/tables.ts'
import { deepOffset, newestSize, pageSize, treesSize, type OpenContestant } from './contestant.ts'

type BlogDb = Db<typeof relations>

const secret = 'the bench signs its cursors with this'

const postById = (db: BlogDb, id: number) => db.posts.selectRelated('author', 'category').find(id)

const sixColumns = (db: BlogDb) =>
  db.posts
    .filter({ status: 'published' })
    .selectRelated('author', 'category')
    .only('id', 'title', 'views', 'publishedAt', 'author.name', 'category.name')
    .orderBy('-publishedAt', '-id')

const newestTrees = (db: BlogDb) =>
  db.posts
    .filter({ status: 'published' })
    .selectRelated('author')
    .prefetchRelated(
      'tags',
      prefetch('comments', (comments) => comments.selectRelated('author')),
    )
    .orderBy('-publishedAt', '-id')
    .limit(treesSize)

async function openBlog(url: string): Promise<{ db: BlogDb; deepCursor: string; close: () => Promise<void> }> {
  const postgres = await openPostgres({ url })
  const db = createDb({ relations, postgres, secret })
  let deepCursor: string | undefined
  for (let seen = 0; seen < deepOffset; seen += 1000) {
    deepCursor = (await sixColumns(db).page({ size: 1000, after: deepCursor })).next ?? undefined
  }
  return { db, deepCursor: deepCursor!, close: () => postgres.close() }
}

/** Plimsoll, awaited: rows as JavaScript objects. */
export const openPlimsollRows: OpenContestant = async ({ url }) => {
  const { db, deepCursor, close } = await openBlog(url)
  return {
    postById: async (id) => postById(db, id),
    newestPosts: async () => sixColumns(db).limit(newestSize),
    newestTrees: async () => newestTrees(db),
    firstPage: async () => (await sixColumns(db).page({ size: pageSize })).data,
    pageAfterAnchor: async () => (await sixColumns(db).page({ size: pageSize, after: deepCursor })).data,
    pageAtOffset: async () => sixColumns(db).limit(pageSize).offset(deepOffset),
    close,
  }
}

/** Plimsoll's `json()`: from the bytes of PostgreSQL to the bytes of JSON. */
export const openPlimsollJson: OpenContestant = async ({ url }) => {
  const { db, deepCursor, close } = await openBlog(url)
  return {
    postById: (id) => postById(db, id).json(),
    newestPosts: () => sixColumns(db).limit(newestSize).json(),
    newestTrees: () => newestTrees(db).json(),
    firstPage: async () => (await sixColumns(db).page({ size: pageSize }).json()).body,
    pageAfterAnchor: async () => (await sixColumns(db).page({ size: pageSize, after: deepCursor }).json()).body,
    pageAtOffset: () => sixColumns(db).limit(pageSize).offset(deepOffset).json(),
    close,
  }
}

type OpenPostgres = Awaited<ReturnType<typeof openPostgres>>

/**
 * The microseconds that W2 as `json()` costs from its first method to its empty answer when PostgreSQL is a function that
 * answers at once: building the queryset, finding its plan and its compiled statement in the caches, binding its values.
 */
export async function measureOverhead(): Promise<number> {
  const answer = Promise.resolve({ command: 'SELECT', rowCount: 0 })
  const nowhere = { engine: 'postgres', serverVersion: 150_000, client: {}, execute: () => answer }
  const db = createDb({ relations, postgres: nowhere as unknown as OpenPostgres, secret })
  const calls = 20_000
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < 8; round++) {
    const start = performance.now()
    for (let call = 0; call < calls; call++) await sixColumns(db).limit(newestSize).json()
    best = Math.min(best, ((performance.now() - start) * 1000) / calls)
  }
  return best
}
