// Kysely: plain joins, and its own `jsonArrayFrom` helper for the to-many relations. Queries without parameters are
// compiled once, as its recipe on reusing compiled queries allows.
import { Kysely, PostgresDialect, type Generated } from 'kysely'
import { jsonArrayFrom, jsonObjectFrom } from 'kysely/helpers/postgres'
import pg from 'pg'
import { deepOffset, newestSize, pageSize, treesSize, type OpenContestant } from './contestant.ts'

interface Database {
  authors: { id: Generated<number>; name: string; email: string; country: string }
  categories: { id: Generated<number>; name: string }
  posts: {
    id: Generated<number>
    author_id: number
    category_id: number
    title: string
    body: string
    status: string
    views: number
    published_at: Date
  }
  comments: { id: Generated<number>; post_id: number; author_id: number; body: string; created_at: Date }
  tags: { id: Generated<number>; name: string }
  post_tags: { post_id: number; tag_id: number }
}

const postColumns = [
  'posts.id',
  'posts.author_id as authorId',
  'posts.category_id as categoryId',
  'posts.title',
  'posts.body',
  'posts.status',
  'posts.views',
  'posts.published_at as publishedAt',
] as const
const authorColumns = [
  'authors.name as authorName',
  'authors.email as authorEmail',
  'authors.country as authorCountry',
] as const

interface FlatAuthor {
  authorId: number
  authorName: string
  authorEmail: string
  authorCountry: string
}

const nestAuthor = <Row extends FlatAuthor>({ authorName, authorEmail, authorCountry, ...row }: Row) => ({
  ...row,
  author: { id: row.authorId, name: authorName, email: authorEmail, country: authorCountry },
})

interface FlatSix {
  authorName: string
  categoryName: string
}

const nestNames = <Row extends FlatSix>({ authorName, categoryName, ...row }: Row) => ({
  ...row,
  author: { name: authorName },
  category: { name: categoryName },
})

/** Kysely on `pg`. */
export const openKysely: OpenContestant = async ({ url, anchor }) => {
  const db = new Kysely<Database>({
    dialect: new PostgresDialect({ pool: new pg.Pool({ connectionString: url, max: 10 }) }),
  })
  const published = db
    .selectFrom('posts')
    .where('posts.status', '=', 'published')
    .orderBy('posts.published_at', 'desc')
    .orderBy('posts.id', 'desc')
  const sixColumns = published
    .innerJoin('authors', 'authors.id', 'posts.author_id')
    .innerJoin('categories', 'categories.id', 'posts.category_id')
    .select([
      'posts.id',
      'posts.title',
      'posts.views',
      'posts.published_at as publishedAt',
      'authors.name as authorName',
      'categories.name as categoryName',
    ])
  const newestPosts = sixColumns.limit(newestSize).compile()
  const newestTrees = published
    .innerJoin('authors', 'authors.id', 'posts.author_id')
    .select(postColumns)
    .select(authorColumns)
    .select((eb) => [
      jsonArrayFrom(
        eb
          .selectFrom('post_tags')
          .innerJoin('tags', 'tags.id', 'post_tags.tag_id')
          .whereRef('post_tags.post_id', '=', 'posts.id')
          .select(['tags.id', 'tags.name']),
      ).as('tags'),
      jsonArrayFrom(
        eb
          .selectFrom('comments')
          .whereRef('comments.post_id', '=', 'posts.id')
          .select([
            'comments.id',
            'comments.post_id as postId',
            'comments.author_id as authorId',
            'comments.body',
            'comments.created_at as createdAt',
          ])
          .select((of) =>
            jsonObjectFrom(
              of
                .selectFrom('authors as writer')
                .whereRef('writer.id', '=', 'comments.author_id')
                .select(['writer.id', 'writer.name', 'writer.email', 'writer.country']),
            ).as('author'),
          ),
      ).as('comments'),
    ])
    .limit(treesSize)
    .compile()
  const firstPage = sixColumns.limit(pageSize).compile()
  const pageAtOffset = sixColumns.limit(pageSize).offset(deepOffset).compile()
  return {
    async postById(id) {
      const row = await db
        .selectFrom('posts')
        .innerJoin('authors', 'authors.id', 'posts.author_id')
        .innerJoin('categories', 'categories.id', 'posts.category_id')
        .where('posts.id', '=', id)
        .select(postColumns)
        .select(authorColumns)
        .select('categories.name as categoryName')
        .executeTakeFirst()
      if (!row) return null
      const { categoryName, ...post } = row
      return { ...nestAuthor(post), category: { id: post.categoryId, name: categoryName } }
    },
    newestPosts: async () => (await db.executeQuery(newestPosts)).rows.map(nestNames),
    async newestTrees() {
      const { rows } = await db.executeQuery(newestTrees)
      // JSON built by PostgreSQL carries instants as text; whoever selects dates through the helper restores them.
      return rows.map(({ comments, ...post }) => ({
        ...nestAuthor(post),
        comments: comments.map((comment) => ({ ...comment, createdAt: new Date(comment.createdAt) })),
      }))
    },
    firstPage: async () => (await db.executeQuery(firstPage)).rows.map(nestNames),
    async pageAfterAnchor() {
      const rows = await sixColumns
        .where((eb) => eb(eb.refTuple('posts.published_at', 'posts.id'), '<', eb.tuple(anchor.publishedAt, anchor.id)))
        .limit(pageSize)
        .execute()
      return rows.map(nestNames)
    },
    pageAtOffset: async () => (await db.executeQuery(pageAtOffset)).rows.map(nestNames),
    close: () => db.destroy(),
  }
}
