// Drizzle's relational queries, prepared under a name as its page on query performance recommends. The limits are plain
// numbers of the prepared query, not placeholders.
import { sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/node-postgres'
import pg from 'pg'
import { relations } from '../schema/tables.ts'
import { deepOffset, newestSize, pageSize, treesSize, type OpenContestant } from './contestant.ts'

const sixColumns = {
  columns: { id: true, title: true, views: true, publishedAt: true },
  with: { author: { columns: { name: true } }, category: { columns: { name: true } } },
  orderBy: { publishedAt: 'desc', id: 'desc' },
} as const

/** drizzle-orm's relational queries (RQB) on `pg`. */
export const openDrizzle: OpenContestant = async ({ url, anchor }) => {
  const pool = new pg.Pool({ connectionString: url, max: 10 })
  const db = drizzle({ client: pool, relations })
  const published = { status: 'published' } as const
  const postById = db.query.posts
    .findFirst({ where: { id: sql.placeholder('id') }, with: { author: true, category: true } })
    .prepare('post_by_id')
  const newestPosts = db.query.posts
    .findMany({ ...sixColumns, where: published, limit: newestSize })
    .prepare('newest_posts')
  const newestTrees = db.query.posts
    .findMany({
      where: published,
      orderBy: { publishedAt: 'desc', id: 'desc' },
      limit: treesSize,
      with: { author: true, tags: true, comments: { with: { author: true } } },
    })
    .prepare('newest_trees')
  const firstPage = db.query.posts.findMany({ ...sixColumns, where: published, limit: pageSize }).prepare('first_page')
  const pageAfterAnchor = db.query.posts
    .findMany({
      ...sixColumns,
      where: {
        ...published,
        OR: [
          { publishedAt: { lt: sql.placeholder('at') } },
          { publishedAt: { eq: sql.placeholder('at') }, id: { lt: sql.placeholder('id') } },
        ],
      },
      limit: pageSize,
    })
    .prepare('page_after')
  const pageAtOffset = db.query.posts
    .findMany({ ...sixColumns, where: published, limit: pageSize, offset: deepOffset })
    .prepare('page_at_offset')
  return {
    postById: (id) => postById.execute({ id }),
    newestPosts: () => newestPosts.execute(),
    newestTrees: () => newestTrees.execute(),
    firstPage: () => firstPage.execute(),
    pageAfterAnchor: () => pageAfterAnchor.execute({ at: anchor.publishedAt, id: anchor.id }),
    pageAtOffset: () => pageAtOffset.execute(),
    close: () => pool.end(),
  }
}
