import { defineRelations, sql } from 'drizzle-orm'
import * as pg from 'drizzle-orm/pg-core'

/** A schema with every kind of relation: to-one, to-many, to itself, many-to-many; a composite key, an enum, typed JSON. */
export const companies = pg.pgTable('companies', {
  id: pg.integer().primaryKey().generatedAlwaysAsIdentity(),
  name: pg.text().notNull(),
  country: pg.text(),
  token: pg.uuid(),
})

export const role = pg.pgEnum('role', ['reader', 'writer', 'editor'])

export const authors = pg.pgTable('authors', {
  id: pg.integer().primaryKey().generatedAlwaysAsIdentity(),
  name: pg.text().notNull(),
  role: role().notNull().default('reader'),
  score: pg.bigint({ mode: 'bigint' }),
  companyId: pg.integer('company_id').references(() => companies.id),
})

export const posts = pg.pgTable('posts', {
  id: pg.integer().primaryKey().generatedAlwaysAsIdentity(),
  title: pg.text().notNull(),
  body: pg.text(),
  meta: pg.jsonb().$type<{ readingMinutes: number }>(),
  keywords: pg.text().array().notNull().default([]),
  publishedAt: pg.timestamp('published_at', { withTimezone: true }),
  titleLength: pg.integer('title_length').generatedAlwaysAs(sql`length(title)`),
  authorId: pg
    .integer('author_id')
    .notNull()
    .references(() => authors.id),
  editorId: pg.integer('editor_id').references(() => authors.id),
})

export const comments = pg.pgTable('comments', {
  id: pg.integer().primaryKey().generatedAlwaysAsIdentity(),
  body: pg.text().notNull(),
  approved: pg.boolean().notNull().default(false),
  postId: pg
    .integer('post_id')
    .notNull()
    .references(() => posts.id),
  parentId: pg.integer('parent_id').references((): pg.AnyPgColumn => comments.id),
})

export const tags = pg.pgTable('tags', { slug: pg.text().primaryKey(), label: pg.text().notNull() })

export const postTags = pg.pgTable(
  'post_tags',
  {
    postId: pg
      .integer('post_id')
      .notNull()
      .references(() => posts.id),
    tagSlug: pg
      .text('tag_slug')
      .notNull()
      .references(() => tags.slug),
    position: pg.integer(),
  },
  (table) => [pg.primaryKey({ columns: [table.postId, table.tagSlug] })],
)

export const relations = defineRelations({ companies, authors, posts, comments, tags, postTags }, (r) => ({
  companies: { authors: r.many.authors() },
  authors: {
    company: r.one.companies({ from: r.authors.companyId, to: r.companies.id }),
    posts: r.many.posts({ from: r.authors.id, to: r.posts.authorId, alias: 'author' }),
    edited: r.many.posts({ from: r.authors.id, to: r.posts.editorId, alias: 'editor' }),
  },
  posts: {
    author: r.one.authors({ from: r.posts.authorId, to: r.authors.id, optional: false }),
    editor: r.one.authors({ from: r.posts.editorId, to: r.authors.id }),
    comments: r.many.comments({ from: r.posts.id, to: r.comments.postId }),
    tags: r.many.tags({ from: r.posts.id.through(r.postTags.postId), to: r.tags.slug.through(r.postTags.tagSlug) }),
  },
  comments: {
    post: r.one.posts({ from: r.comments.postId, to: r.posts.id, optional: false }),
    parent: r.one.comments({ from: r.comments.parentId, to: r.comments.id, alias: 'thread' }),
    replies: r.many.comments({ from: r.comments.id, to: r.comments.parentId, alias: 'thread' }),
  },
  tags: { posts: r.many.posts() },
}))
