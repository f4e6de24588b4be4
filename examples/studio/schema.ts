import { defineRelations } from 'drizzle-orm'
import { bigint, char, index, integer, jsonb, pgTable, primaryKey, text, timestamp } from 'drizzle-orm/pg-core'
import type { AnyPgColumn } from 'drizzle-orm/pg-core'

/** People: they own channels, write articles and comment. */
export const users = pgTable(
  'users',
  {
    id: integer().primaryKey().generatedByDefaultAsIdentity(),
    handle: text().notNull().unique(),
    name: text().notNull(),
    bio: text(),
    country: char({ length: 2 }),
    joinedAt: timestamp('joined_at', { withTimezone: true }).notNull().defaultNow(),
  },
  (table) => [
    index('users_joined').on(table.joinedAt.desc(), table.id.desc()),
    index('users_name').on(table.name, table.id),
    index('users_country').on(table.country, table.joinedAt.desc(), table.id.desc()),
  ],
)

/** What videos and articles are published in. */
export const channels = pgTable(
  'channels',
  {
    id: integer().primaryKey().generatedByDefaultAsIdentity(),
    slug: text().notNull().unique(),
    name: text().notNull(),
    description: text().notNull(),
    subscribers: integer().notNull().default(0),
    ownerId: integer('owner_id')
      .notNull()
      .references(() => users.id),
    createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
  },
  (table) => [
    index('channels_subscribers').on(table.subscribers.desc(), table.id.desc()),
    index('channels_name').on(table.name, table.id),
    index('channels_owner').on(table.ownerId),
  ],
)

/** A subject; its slug stands in addresses. */
export const tags = pgTable(
  'tags',
  {
    id: integer().primaryKey().generatedByDefaultAsIdentity(),
    slug: text().notNull().unique(),
    label: text().notNull(),
  },
  (table) => [index('tags_label').on(table.label, table.id)],
)

/** A film. Only rows with the status `published` are served. */
export const videos = pgTable(
  'videos',
  {
    id: integer().primaryKey().generatedByDefaultAsIdentity(),
    channelId: integer('channel_id')
      .notNull()
      .references(() => channels.id),
    title: text().notNull(),
    description: text().notNull(),
    status: text({ enum: ['draft', 'published'] })
      .notNull()
      .default('draft'),
    durationSeconds: integer('duration_seconds').notNull(),
    views: integer().notNull().default(0),
    commentCount: integer('comment_count').notNull().default(0),
    publishedAt: timestamp('published_at', { withTimezone: true }).notNull().defaultNow(),
  },
  (table) => [
    index('videos_published').on(table.publishedAt.desc(), table.id.desc()),
    index('videos_views').on(table.views.desc(), table.id.desc()),
    index('videos_title').on(table.title, table.id),
    index('videos_channel').on(table.channelId, table.publishedAt.desc(), table.id.desc()),
  ],
)

/** A text. Only rows with the status `published` are served. */
export const articles = pgTable(
  'articles',
  {
    id: integer().primaryKey().generatedByDefaultAsIdentity(),
    channelId: integer('channel_id')
      .notNull()
      .references(() => channels.id),
    authorId: integer('author_id')
      .notNull()
      .references(() => users.id),
    title: text().notNull(),
    summary: text().notNull(),
    body: text().notNull(),
    status: text({ enum: ['draft', 'published'] })
      .notNull()
      .default('draft'),
    readingMinutes: integer('reading_minutes').notNull(),
    publishedAt: timestamp('published_at', { withTimezone: true }).notNull().defaultNow(),
  },
  (table) => [
    index('articles_published').on(table.publishedAt.desc(), table.id.desc()),
    index('articles_title').on(table.title, table.id),
    index('articles_channel').on(table.channelId, table.publishedAt.desc(), table.id.desc()),
    index('articles_author').on(table.authorId, table.publishedAt.desc(), table.id.desc()),
  ],
)

/** Which tags a video carries. */
export const videoTags = pgTable(
  'video_tags',
  {
    videoId: integer('video_id')
      .notNull()
      .references(() => videos.id, { onDelete: 'cascade' }),
    tagId: integer('tag_id')
      .notNull()
      .references(() => tags.id, { onDelete: 'cascade' }),
  },
  (table) => [
    primaryKey({ columns: [table.videoId, table.tagId] }),
    index('video_tags_tag').on(table.tagId, table.videoId),
  ],
)

/** Which tags an article carries. */
export const articleTags = pgTable(
  'article_tags',
  {
    articleId: integer('article_id')
      .notNull()
      .references(() => articles.id, { onDelete: 'cascade' }),
    tagId: integer('tag_id')
      .notNull()
      .references(() => tags.id, { onDelete: 'cascade' }),
  },
  (table) => [
    primaryKey({ columns: [table.articleId, table.tagId] }),
    index('article_tags_tag').on(table.tagId, table.articleId),
  ],
)

/** A comment under a video; `replyToId` names the comment it answers. */
export const comments = pgTable(
  'comments',
  {
    id: integer().primaryKey().generatedByDefaultAsIdentity(),
    videoId: integer('video_id')
      .notNull()
      .references(() => videos.id, { onDelete: 'cascade' }),
    authorId: integer('author_id')
      .notNull()
      .references(() => users.id),
    replyToId: integer('reply_to_id').references((): AnyPgColumn => comments.id, { onDelete: 'set null' }),
    body: text().notNull(),
    createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
  },
  (table) => [
    index('comments_video').on(table.videoId, table.createdAt.desc(), table.id.desc()),
    index('comments_author').on(table.authorId, table.createdAt.desc(), table.id.desc()),
    index('comments_reply_to').on(table.replyToId),
  ],
)

/** What an encode has made of a clip: keys of the storage, and what they hold. */
export interface ClipVideo {
  /** What all keys of it begin with. */
  readonly prefix: string
  readonly hls: string
  readonly dash: string
  readonly poster: string | null
  /** Says in WebVTT which part of which picture is of when. */
  readonly sprite: string | null
  /** In seconds. */
  readonly duration: number
  /** Of all its segments. */
  readonly bytes: number
  readonly renditions: readonly { readonly width: number; readonly height: number; readonly bitrate: number }[]
  /** The keys of the captions that are in it. */
  readonly captions?: readonly string[] | undefined
}

/** Captions that a visitor has added to a clip. */
export interface ClipCaptions {
  /** Of the WebVTT file in the storage; other captions have another one. */
  readonly key: string
  readonly language: string
  readonly label: string
}

/** A video that a visitor has brought: only he sees it. `id` is that of its upload. */
export const clips = pgTable(
  'clips',
  {
    id: text().primaryKey(),
    owner: text().notNull(),
    title: text().notNull(),
    fileKey: text('file_key').notNull(),
    fileName: text('file_name').notNull(),
    fileSize: bigint('file_size', { mode: 'number' }).notNull(),
    /** The job that encodes it. */
    jobId: text('job_id'),
    /** Null until it is encoded. */
    video: jsonb().$type<ClipVideo>(),
    /** Those that it is to have; those of `video` are in what is shown. */
    captions: jsonb().$type<readonly ClipCaptions[]>().notNull().default([]),
    createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
  },
  (table) => [index('clips_owner').on(table.owner, table.createdAt.desc(), table.id.desc())],
)

/** The tables and how they belong together: all that Plimsoll needs to know. */
export const relations = defineRelations(
  { users, channels, tags, videos, articles, videoTags, articleTags, comments, clips },
  (r) => ({
    users: {
      channels: r.many.channels({ from: r.users.id, to: r.channels.ownerId }),
      articles: r.many.articles({ from: r.users.id, to: r.articles.authorId }),
      comments: r.many.comments({ from: r.users.id, to: r.comments.authorId }),
    },
    channels: {
      owner: r.one.users({ from: r.channels.ownerId, to: r.users.id, optional: false }),
      videos: r.many.videos({ from: r.channels.id, to: r.videos.channelId }),
      articles: r.many.articles({ from: r.channels.id, to: r.articles.channelId }),
    },
    tags: {
      videos: r.many.videos({
        from: r.tags.id.through(r.videoTags.tagId),
        to: r.videos.id.through(r.videoTags.videoId),
      }),
      articles: r.many.articles({
        from: r.tags.id.through(r.articleTags.tagId),
        to: r.articles.id.through(r.articleTags.articleId),
      }),
    },
    videos: {
      channel: r.one.channels({ from: r.videos.channelId, to: r.channels.id, optional: false }),
      tags: r.many.tags({ from: r.videos.id.through(r.videoTags.videoId), to: r.tags.id.through(r.videoTags.tagId) }),
      comments: r.many.comments({ from: r.videos.id, to: r.comments.videoId }),
    },
    articles: {
      channel: r.one.channels({ from: r.articles.channelId, to: r.channels.id, optional: false }),
      author: r.one.users({ from: r.articles.authorId, to: r.users.id, optional: false }),
      tags: r.many.tags({
        from: r.articles.id.through(r.articleTags.articleId),
        to: r.tags.id.through(r.articleTags.tagId),
      }),
    },
    comments: {
      video: r.one.videos({ from: r.comments.videoId, to: r.videos.id, optional: false }),
      author: r.one.users({ from: r.comments.authorId, to: r.users.id, optional: false }),
      replyTo: r.one.comments({ from: r.comments.replyToId, to: r.comments.id }),
      replies: r.many.comments({ from: r.comments.id, to: r.comments.replyToId }),
    },
  }),
)
