import { expectType } from './expect-type.ts'
import { db, type Author, type Comment, type Company, type Post } from './fixture.ts'

// a row has the columns of its model and no relation
expectType<Post[]>()(await db.posts, true)
expectType<Post[]>()(
  await db.posts.filter({ id: 1 }).exclude({ id: 2 }).orderBy('id').limit(1).offset(1).distinct(),
  true,
)
expectType<{ postId: number; tagSlug: string; position: number | null }[]>()(await db.postTags, true)
// @ts-expect-error the author was not loaded
void (await db.posts.one()).author

// selectRelated nests an object, null only where the relation is optional
expectType<(Post & { author: Author })[]>()(await db.posts.selectRelated('author'), true)
expectType<(Post & { editor: Author | null })[]>()(await db.posts.selectRelated('editor'), true)
expectType<(Post & { author: Author & { company: Company | null }; editor: Author | null })[]>()(
  await db.posts.selectRelated('editor', 'author.company'),
  true,
)
expectType<(Post & { author: Author; editor: Author | null })[]>()(
  await db.posts.selectRelated('author').filter({}).selectRelated('editor'),
  true,
)
expectType<(Comment & { parent: (Comment & { parent: Comment | null }) | null })[]>()(
  await db.comments.selectRelated('parent.parent'),
  true,
)
const either = ['author', 'editor'] as const
expectType<(Post & { author: Author; editor: Author | null })[]>()(await db.posts.selectRelated(...either), true)

// no limit to the depth
const deep = await db.comments.selectRelated('parent.parent.parent.parent.post.author.company').one()
expectType<string | null | undefined>()(deep.parent?.parent?.parent?.parent?.post.author.company?.country, true)

// only
expectType<{ title: string }[]>()(await db.posts.only('title'), true)
expectType<{ title: string; author: { name: string } }[]>()(
  await db.posts.selectRelated('author').only('title', 'author.name'),
  true,
)
expectType<{ title: string; author: Author }[]>()(await db.posts.selectRelated('author').only('title'), true)
expectType<(Post & { author: { name: string } })[]>()(await db.posts.selectRelated('author').only('author.name'), true)
expectType<(Post & { author: Author & { company: { name: string } | null } })[]>()(
  await db.posts.selectRelated('author.company').only('author.company.name'),
  true,
)
expectType<{ id: number }[]>()(await db.posts.only('title').only('id'), true)
// @ts-expect-error the body was not loaded
void (await db.posts.only('title').one()).body

// defer
expectType<Omit<Post, 'body' | 'meta'>[]>()(await db.posts.defer('body').defer('meta'), true)
expectType<(Omit<Post, 'body'> & { author: Omit<Author, 'score'> })[]>()(
  await db.posts.selectRelated('author').defer('body', 'author.score'),
  true,
)
expectType<{ title: string }[]>()(await db.posts.only('title', 'body').defer('body'), true)
expectType<{ title: string }[]>()(await db.posts.defer('title').only('title'), true)

// values and valuesList
expectType<{ title: string; 'author.name': string; 'editor.company.name': string | null }[]>()(
  await db.posts
    .values('title', 'author.name', 'editor.company.name')
    .filter({ id: 1 })
    .orderBy('-editor.name')
    .limit(3),
  true,
)
expectType<Post[]>()(await db.posts.values(), true)
expectType<[string, string, string | null][]>()(await db.posts.valuesList('title', 'author.name', 'editor.name'), true)
expectType<string[]>()(await db.posts.valuesList('title').distinct(), true)
expectType<(string | null)[]>()(await db.posts.valuesList('editor.name'), true)
expectType<Post[keyof Post][][]>()(await db.posts.valuesList(), true)
