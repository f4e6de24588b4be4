import { expectType } from './expect-type.ts'
import { db, prefetch, type Author, type Comment, type Post, type Tag } from './fixture.ts'

// a to-many relation becomes an array, a to-one relation an object or null
expectType<(Post & { tags: Tag[]; comments: Comment[] })[]>()(await db.posts.prefetchRelated('tags', 'comments'), true)
expectType<(Post & { author: Author; editor: Author | null })[]>()(
  await db.posts.prefetchRelated('author', 'editor'),
  true,
)
expectType<(Post & { tags: Tag[]; comments: Comment[] })[]>()(
  await db.posts.prefetchRelated('tags').prefetchRelated('comments'),
  true,
)
expectType<(Comment & { replies: Comment[] })[]>()(await db.comments.prefetchRelated('replies'), true)

// a nested path adds into what holds it
expectType<(Post & { author: Author & { posts: Post[] } })[]>()(await db.posts.prefetchRelated('author.posts'), true)
expectType<(Post & { author: Author & { posts: (Post & { tags: Tag[] })[] } })[]>()(
  await db.posts.selectRelated('author').prefetchRelated('author.posts.tags'),
  true,
)
expectType<{ title: string; author: { name: string; posts: Post[] } }[]>()(
  await db.posts.selectRelated('author').prefetchRelated('author.posts').only('title', 'author.name'),
  true,
)

// prefetch: the callback gets rows of the relation's target, and what it loads is what the relation holds
expectType<(Post & { comments: Comment[] })[]>()(
  await db.posts.prefetchRelated(
    prefetch('comments', (comments) => comments.filter({ approved: true }).orderBy('-id').limit(3)),
  ),
  true,
)
expectType<(Post & { tags: Tag[]; comments: { body: string; post: Post }[] })[]>()(
  await db.posts.prefetchRelated(
    'tags',
    prefetch('comments', (comments) => comments.selectRelated('post').only('body')),
  ),
  true,
)
expectType<(Post & { comments: (Comment & { replies: { id: number }[] })[] })[]>()(
  await db.posts.prefetchRelated(
    prefetch('comments', (comments) => comments.prefetchRelated(prefetch('replies', (replies) => replies.only('id')))),
  ),
  true,
)

// another name; the relation itself can be there too
expectType<{ id: number; comments: Comment[]; approved: { id: number }[]; hidden: Comment[] }[]>()(
  await db.posts.only('id').prefetchRelated(
    'comments',
    prefetch('comments', (comments) => comments.filter({ approved: true }).only('id'), { as: 'approved' }),
    prefetch('comments', (comments) => comments.filter({ approved: false }), { as: 'hidden' }),
  ),
  true,
)
// @ts-expect-error it has another name
void (await db.posts.prefetchRelated(prefetch('comments', (rows) => rows, { as: 'approved' })).one()).comments

// a nested refined path, and a refined to-one relation, which its filter can leave out
expectType<{ id: number; author: Author & { recent: { id: number }[]; posts: Post[] } }[]>()(
  await db.posts.only('id').prefetchRelated(
    'author.posts',
    prefetch('author.posts', (posts) => posts.only('id').limit(3), { as: 'recent' }),
  ),
  true,
)
expectType<{ id: number; author: { name: string } | null }[]>()(
  await db.posts
    .only('id')
    .prefetchRelated(prefetch('author', (authors) => authors.filter({ role: 'writer' }).only('name'))),
  true,
)
expectType<{ slug: string; label: string; posts: (Post & { author: Author & { edited: { title: string }[] } })[] }[]>()(
  await db.tags.prefetchRelated(
    'posts',
    prefetch('posts.author.edited', (posts) => posts.only('title')),
  ),
  true,
)

// @ts-expect-error eight at a time
db.posts.prefetchRelated('tags', 'tags', 'tags', 'tags', 'tags', 'tags', 'tags', 'tags', 'tags')
