import { expectType } from './expect-type.ts'
import { db, prefetch, type Author, type Post, type Tag } from './fixture.ts'
import type { AnyFieldPath } from '../../src/db/types/paths.ts'
import type { InferRow, QuerySet } from '../../src/db/types/queryset.ts'
import type { JsonPage, Page } from '../../src/db/types/result.ts'
import type { AnyLoaded, Row } from '../../src/db/types/row.ts'
import type { Models } from '../../src/db/types/model.ts'

const query = db.posts.selectRelated('author').only('title', 'author.name')
type Short = { title: string; author: { name: string } }
expectType<Short>()({} as InferRow<typeof query>, true)

expectType<Short | null>()(await query.first(), true)
expectType<Short>()(await query.one(), true)
expectType<Short | null>()(await query.find(1), true)
expectType<Short>()(await query.get(1), true)
expectType<Short>()(await query.get({ title: { like: 'a%' }, author: { name: 'b' } }), true)
expectType<Map<number, Short>>()(await query.inBulk([1, 2]), true)
expectType<number>()(await query.count(), true)
expectType<boolean>()(await query.exists(), true)
expectType<string>()(await query.explain({ analyze: true }), true)
for await (const row of query.iterate({ chunkSize: 100 })) expectType<Short>()(row, true)

// reads that may be behind
expectType<Short[]>()(await query.replica().limit(3), true)
expectType<Short | null>()(await query.replica({ maxLag: '5s' }).within({ timeout: '1s' }).first(), true)
expectType<string[]>()(await db.posts.valuesList('title').replica(), true)
// @ts-expect-error not a duration
query.replica({ maxLag: 'soon' })

// kept answers
expectType<Short[]>()(await query.cached().limit(3), true)
expectType<Short | null>()(await query.cached({ ttl: '5m', stale: 500 }).first(), true)
expectType<string[]>()(await db.posts.valuesList('title').cached({ ttl: '1h' }), true)
expectType<number>()(await db.posts.cached().within({ timeout: '1s' }).count(), true)
// @ts-expect-error not a duration
query.cached({ ttl: 'soon' })
// @ts-expect-error no such option
query.cached({ tags: ['posts'] })

// JSON: null only where the row would be null
expectType<Buffer>()(await query.json(), true)
expectType<Buffer | null>()(await query.first().json(), true)
expectType<Buffer | null>()(await query.find(1).json(), true)
expectType<Buffer>()(await query.one().json(), true)
expectType<Buffer>()(await query.get(1).json(), true)

// pages
expectType<Page<Short, string>>()(await query.page({ size: 20, after: undefined, before: null, total: 'exact' }), true)
expectType<Short[]>()((await query.page({ size: 20 })).data, true)
expectType<string | null>()((await query.page({ size: 20 })).next, true)
expectType<JsonPage<string>>()(await query.page({ size: 20 }).json(), true)
expectType<number | null>()((await query.pageNumber({ page: 2, size: 20, total: 'estimated' })).next, true)
expectType<number | null>()((await query.pageNumber({ page: 2, size: 20 }).json()).previous, true)
// @ts-expect-error a page has a size
query.page({ after: 'x' })
// @ts-expect-error not a way to count
query.page({ size: 1, total: true })
// @ts-expect-error a page number is a number
query.pageNumber({ page: '2', size: 20 })

// values end in the same ways, but have no columns to choose any more
const flat = db.posts.values('author.name')
expectType<{ 'author.name': string } | null>()(await flat.filter({ id: 1 }).first(), true)
expectType<{ 'author.name': string }[]>()((await flat.page({ size: 3 })).data, true)
expectType<number>()(await flat.count(), true)
expectType<string | null>()(await db.posts.valuesList('title').first(), true)
// @ts-expect-error flat rows hold no relations
flat.selectRelated('author')
// @ts-expect-error flat rows cannot be updated
void flat.update({ title: 'x' })

// primary keys: `id` where there is one, else what could be a key; an object for a key of several columns
expectType<Tag | null>()(await db.tags.find('news'), true)
expectType<Map<string, Tag>>()(await db.tags.inBulk(['news']), true)
void db.postTags.find({ postId: 1, tagSlug: 'news' })
void db.posts.find({ id: 1 })
// @ts-expect-error the id is a number
void db.posts.find('1')
// @ts-expect-error no such column
void db.postTags.find({ postId: 1, tag: 'news' })
// @ts-expect-error the ids are numbers
void db.posts.inBulk(['1'])
// @ts-expect-error a primary key cannot be null
void db.posts.find(null)

// order
db.posts.orderBy('-publishedAt', 'author.name', '-editor.company.name', {
  by: 'editor.name',
  direction: 'desc',
  nulls: 'last',
})
const orders = ['-publishedAt', 'id'] as const
db.posts.orderBy(...orders)
// @ts-expect-error no such column
db.posts.orderBy('publishd')
// @ts-expect-error no such column, descending
db.posts.orderBy('id', '-publishd')
// @ts-expect-error a relation has no order of its own
db.posts.orderBy('author')
// @ts-expect-error no order through to-many relations
db.posts.orderBy('comments.id')
// @ts-expect-error no such column
db.posts.orderBy({ by: 'author.nam' })
// @ts-expect-error the direction has its own option there
db.posts.orderBy({ by: '-id' })
// @ts-expect-error no such direction
db.posts.orderBy({ by: 'id', direction: 'down' })
// @ts-expect-error no such option
db.posts.orderBy({ by: 'id', order: 'desc' })

// distinct
db.posts.distinct().distinct('authorId', 'author.companyId')
// @ts-expect-error no such column
db.posts.distinct('author.company')

// limits
// @ts-expect-error a limit is a number
db.posts.limit('3')
// @ts-expect-error an offset is a number
db.posts.offset('3')
// @ts-expect-error a chunk size is a number
db.posts.iterate({ chunkSize: '3' })

// a function over any queryset, and one that starts with all rows
declare function serve<
  T extends keyof S & string,
  L extends AnyLoaded,
  S extends Models,
  const P extends readonly string[],
>(queryset: QuerySet<T, L, S>, fields: { [I in keyof P]: AnyFieldPath<T, S, P[I]> }): Row<T, L, S>
expectType<Post>()(serve(db.posts, ['id', 'author.name', 'tags.label', 'comments.post.author.name']), true)
expectType<Post & { author: Author }>()(serve(db.posts.selectRelated('author'), []), true)
// @ts-expect-error no such column at the end
serve(db.posts, ['id', 'tags.name'])
// @ts-expect-error a relation, not a column
serve(db.posts, ['id', 'tags'])
// @ts-expect-error no such relation
serve(db.posts, ['autor.name'])

// querysets are immutable values of one type as long as they load the same
let listed = db.posts.filter({})
listed = listed.filter({ id: 1 }).orderBy('id').limit(3)
// @ts-expect-error the rows would be others
listed = db.posts.selectRelated('author')
// @ts-expect-error other rows
listed = db.comments.filter({})
void listed

void prefetch
