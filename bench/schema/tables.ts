import { defineRelations } from 'drizzle-orm'
import { index, integer, pgTable, primaryKey, text, timestamp } from 'drizzle-orm/pg-core'

const id = () => integer().primaryKey().generatedAlwaysAsIdentity()

export const authors = pgTable('authors', {
  id: id(),
  name: text().notNull(),
  email: text().notNull().unique(),
  country: text().notNull(),
})

export const categories = pgTable('categories', { id: id(), name: text().notNull() })

export const posts = pgTable(
  'posts',
  {
    id: id(),
    authorId: integer('author_id')
      .notNull()
      .references(() => authors.id),
    categoryId: integer('category_id')
      .notNull()
      .references(() => categories.id),
    title: text().notNull(),
    body: text().notNull(),
    status: text({ enum: ['draft', 'published'] }).notNull(),
    views: integer().notNull(),
    publishedAt: timestamp('published_at', { withTimezone: true }).notNull(),
  },
  (t) => [
    // PostgreSQL's own meaning of `desc`, as every peer orders; Drizzle's `.desc()` alone would mean NULLS LAST.
    index('posts_status_published_at_id').on(t.status, t.publishedAt.desc().nullsFirst(), t.id.desc().nullsFirst()),
    index('posts_author_id').on(t.authorId),
    index('posts_category_id').on(t.categoryId),
  ],
)

export const comments = pgTable(
  'comments',
  {
    id: id(),
    postId: integer('post_id')
      .notNull()
      .references(() => posts.id),
    authorId: integer('author_id')
      .notNull()
      .references(() => authors.id),
    body: text().notNull(),
    createdAt: timestamp('created_at', { withTimezone: true }).notNull(),
  },
  (t) => [index('comments_post_id').on(t.postId), index('comments_author_id').on(t.authorId)],
)

export const tags = pgTable('tags', { id: id(), name: text().notNull().unique() })

export const postTags = pgTable(
  'post_tags',
  {
    postId: integer('post_id')
      .notNull()
      .references(() => posts.id),
    tagId: integer('tag_id')
      .notNull()
      .references(() => tags.id),
  },
  (t) => [primaryKey({ columns: [t.postId, t.tagId] }), index('post_tags_tag_id').on(t.tagId)],
)

/** The blog of `seed/blog.sql` as Drizzle sees it; Plimsoll and the Drizzle contestant share it. */
export const relations = defineRelations({ authors, categories, posts, comments, tags, postTags }, (r) => ({
  posts: {
    author: r.one.authors({ from: r.posts.authorId, to: r.authors.id, optional: false }),
    category: r.one.categories({ from: r.posts.categoryId, to: r.categories.id, optional: false }),
    comments: r.many.comments({ from: r.posts.id, to: r.comments.postId }),
    tags: r.many.tags({
      from: r.posts.id.through(r.postTags.postId),
      to: r.tags.id.through(r.postTags.tagId),
    }),
  },
  comments: {
    post: r.one.posts({ from: r.comments.postId, to: r.posts.id, optional: false }),
    author: r.one.authors({ from: r.comments.authorId, to: r.authors.id, optional: false }),
  },
}))
