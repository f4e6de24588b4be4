// What a careful engineer writes with `pg` alone: named prepared statements, literal LIMITs, joins for to-one relations
// and one `= any($1)` per to-many relation, both in flight at once.
import pg from 'pg'
import { deepOffset, newestSize, pageSize, treesSize, type OpenContestant } from './contestant.ts'

type Row = Record<string, unknown>

const postColumns = 'p.id, p.author_id, p.category_id, p.title, p.body, p.status, p.views, p.published_at'
const authorColumns = 'a.name author_name, a.email author_email, a.country author_country'
const sixColumns = 'select p.id, p.title, p.views, p.published_at, a.name author_name, c.name category_name'
const joined = 'from posts p join authors a on a.id = p.author_id join categories c on c.id = p.category_id'
const newestFirst = 'order by p.published_at desc, p.id desc'

const postById = `select ${postColumns}, ${authorColumns}, c.name category_name ${joined} where p.id = $1`
const newestPosts = `${sixColumns} ${joined} where p.status = 'published' ${newestFirst} limit ${newestSize}`
const newestTrees = `select ${postColumns}, ${authorColumns} from posts p join authors a on a.id = p.author_id
  where p.status = 'published' ${newestFirst} limit ${treesSize}`
const tagsOfPosts = `select pt.post_id, t.id, t.name from post_tags pt join tags t on t.id = pt.tag_id
  where pt.post_id = any($1)`
const commentsOfPosts = `select m.id, m.post_id, m.author_id, m.body, m.created_at, ${authorColumns}
  from comments m join authors a on a.id = m.author_id where m.post_id = any($1)`
const firstPage = `${sixColumns} ${joined} where p.status = 'published' ${newestFirst} limit ${pageSize}`
const pageAfterAnchor = `${sixColumns} ${joined} where p.status = 'published' and (p.published_at, p.id) < ($1, $2)
  ${newestFirst} limit ${pageSize}`
// The sub-select cuts the page before the joins.
const pageAtOffset = `${sixColumns} from (select * from posts where status = 'published'
  order by published_at desc, id desc limit ${pageSize} offset ${deepOffset}) p
  join authors a on a.id = p.author_id join categories c on c.id = p.category_id ${newestFirst}`

const toAuthor = (row: Row): Row => ({
  id: row['author_id'],
  name: row['author_name'],
  email: row['author_email'],
  country: row['author_country'],
})

const toPost = (row: Row): Row => ({
  id: row['id'],
  authorId: row['author_id'],
  categoryId: row['category_id'],
  title: row['title'],
  body: row['body'],
  status: row['status'],
  views: row['views'],
  publishedAt: row['published_at'],
  author: toAuthor(row),
})

const toSixColumns = (row: Row): Row => ({
  id: row['id'],
  title: row['title'],
  views: row['views'],
  publishedAt: row['published_at'],
  author: { name: row['author_name'] },
  category: { name: row['category_name'] },
})

/** The reference, ratio 1.00. */
export const openHandWritten: OpenContestant = async ({ url, anchor }) => {
  const pool = new pg.Pool({ connectionString: url, max: 10 })
  const run = async (name: string, text: string, values: unknown[] = []): Promise<Row[]> =>
    (await pool.query<Row>({ name, text, values })).rows
  return {
    async postById(id) {
      const row = (await run('post_by_id', postById, [id]))[0]
      if (!row) return null
      return { ...toPost(row), category: { id: row['category_id'], name: row['category_name'] } }
    },
    async newestPosts() {
      return (await run('newest_posts', newestPosts)).map(toSixColumns)
    },
    async newestTrees() {
      const rows = await run('newest_trees', newestTrees)
      const posts = rows.map((row) => ({ ...toPost(row), tags: [] as Row[], comments: [] as Row[] }))
      const byId = new Map(posts.map((post, index) => [rows[index]!['id'], post]))
      const ids = [...byId.keys()]
      const [tags, comments] = await Promise.all([
        run('tags_of_posts', tagsOfPosts, [ids]),
        run('comments_of_posts', commentsOfPosts, [ids]),
      ])
      for (const tag of tags) byId.get(tag['post_id'])!.tags.push({ id: tag['id'], name: tag['name'] })
      for (const row of comments) {
        byId.get(row['post_id'])!.comments.push({
          id: row['id'],
          postId: row['post_id'],
          authorId: row['author_id'],
          body: row['body'],
          createdAt: row['created_at'],
          author: toAuthor(row),
        })
      }
      return posts
    },
    async firstPage() {
      return (await run('first_page', firstPage)).map(toSixColumns)
    },
    async pageAfterAnchor() {
      return (await run('page_after', pageAfterAnchor, [anchor.publishedAt, anchor.id])).map(toSixColumns)
    },
    async pageAtOffset() {
      return (await run('page_at_offset', pageAtOffset)).map(toSixColumns)
    },
    close: () => pool.end(),
  }
}
