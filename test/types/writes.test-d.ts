import { sql } from 'drizzle-orm'
import { expectType } from './expect-type.ts'
import { db, type Post, type Tag } from './fixture.ts'

expectType<Post>()(await db.posts.create({ title: 'a', authorId: 1 }), true)
expectType<Post>()(
  await db.posts.create({ title: 'a', authorId: 1, body: null, keywords: ['b'], meta: { readingMinutes: 3 } }),
  true,
)
// @ts-expect-error a required column is missing
void db.posts.create({ title: 'a' })
// @ts-expect-error an identity that is generated always
void db.posts.create({ id: 1, title: 'a', authorId: 1 })
// @ts-expect-error a generated column
void db.posts.create({ title: 'a', authorId: 1, titleLength: 1 })
// @ts-expect-error unknown column
void db.posts.create({ title: 'a', authorId: 1, titel: 'a' })
// @ts-expect-error the wrong type
void db.posts.create({ title: 1, authorId: 1 })
// @ts-expect-error the column is not null
void db.posts.create({ title: null, authorId: 1 })
// @ts-expect-error not a value of the enum
void db.authors.create({ name: 'a', role: 'admin' })
// @ts-expect-error rows are not created on a filtered queryset
void db.posts.filter({ id: 1 }).create({ title: 'a', authorId: 1 })

expectType<Tag[]>()(await db.tags.createMany([{ slug: 'a', label: 'b' }]), true)
void db.tags.createMany([{ slug: 'a', label: 'b' }], { onConflict: 'ignore' })
void db.tags.createMany([{ slug: 'a', label: 'b' }], { onConflict: { target: ['slug'], update: ['label'] } })
void db.tags.createMany([{ slug: 'a', label: 'b' }], { onConflict: { target: ['slug'], update: 'all' } })
// @ts-expect-error a required column is missing in the second
void db.tags.createMany([{ slug: 'a', label: 'b' }, { slug: 'c' }])
// @ts-expect-error no such way
void db.tags.createMany([], { onConflict: 'update' })
// @ts-expect-error unknown column
void db.tags.createMany([], { onConflict: { target: ['id'], update: 'all' } })
// @ts-expect-error unknown column
void db.tags.createMany([], { onConflict: { target: ['slug'], update: ['name'] } })

expectType<number>()(await db.posts.filter({ id: 1 }).update({ title: 'a', editorId: null }), true)
void db.posts.update({ title: sql`upper(title)`, authorId: sql`author_id + 1`, publishedAt: new Date(0) })
// @ts-expect-error unknown column
void db.posts.update({ titel: 'a' })
// @ts-expect-error the wrong type
void db.posts.update({ title: 1 })
// @ts-expect-error the column is not null
void db.posts.update({ title: null })
// @ts-expect-error an identity that is generated always
void db.posts.update({ id: 1 })
// @ts-expect-error a generated column
void db.posts.update({ titleLength: 1 })

expectType<number>()(await db.posts.filter({ author: { role: 'reader' } }).delete(), true)
// @ts-expect-error delete takes the rows of the queryset
void db.posts.delete({ id: 1 })

expectType<number>()(
  await db.posts.updateMany([
    { id: 1, title: 'a' },
    { id: 2, editorId: null },
  ]),
  true,
)
expectType<number>()(await db.postTags.updateMany([{ postId: 1, tagSlug: 'a', position: 2 }]), true)
// @ts-expect-error the key is missing
void db.posts.updateMany([{ title: 'a' }])
// @ts-expect-error unknown column
void db.posts.updateMany([{ id: 1, titel: 'a' }])
// @ts-expect-error the wrong type
void db.posts.updateMany([{ id: 1, title: 1 }])
// @ts-expect-error not on a filtered queryset
void db.posts.filter({}).updateMany([{ id: 1, title: 'a' }])
