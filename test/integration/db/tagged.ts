// A schema with everything that tags have to be right about: keys of one and of several columns, of every type that is spelled in
// tags, a natural key that others follow, a computed column, rows without a key, and foreign keys that cascade in every way.
import { defineRelations, sql } from 'drizzle-orm'
import {
  bigint,
  boolean,
  index,
  integer,
  pgEnum,
  pgTable,
  primaryKey,
  smallint,
  text,
  uuid,
  varchar,
  type AnyPgColumn,
} from 'drizzle-orm/pg-core'

const status = pgEnum('status', ['draft', 'live', 'gone'])

const regions = pgTable('regions', { code: varchar({ length: 8 }).primaryKey(), name: text().notNull() })

const users = pgTable(
  'users',
  {
    id: integer().primaryKey(),
    handle: text().notNull().unique(),
    regionCode: varchar('region_code', { length: 8 }).references(() => regions.code, {
      onUpdate: 'cascade',
      onDelete: 'set null',
    }),
    mentorId: integer('mentor_id').references((): AnyPgColumn => users.id, { onDelete: 'set null' }),
    active: boolean().notNull().default(true),
  },
  (t) => [index().on(t.active, t.id)],
)

const profiles = pgTable('profiles', {
  userId: integer('user_id')
    .primaryKey()
    .references(() => users.id, { onDelete: 'cascade' }),
  bio: text().notNull(),
})

export const posts = pgTable(
  'posts',
  {
    id: uuid().primaryKey(),
    title: text().notNull(),
    slug: text().generatedAlwaysAs(sql`lower(title)`),
    status: status().notNull().default('draft'),
    rank: integer().notNull().default(0),
    authorId: integer('author_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    editorId: integer('editor_id')
      .default(1)
      .references(() => users.id, { onDelete: 'set default' }),
  },
  (t) => [index().on(t.slug), index().on(t.status, t.rank.desc()), index().on(t.authorId)],
)

const comments = pgTable(
  'comments',
  {
    id: bigint({ mode: 'bigint' }).primaryKey(),
    postId: uuid('post_id')
      .notNull()
      .references(() => posts.id, { onDelete: 'cascade' }),
    authorId: integer('author_id').references(() => users.id, { onDelete: 'set null' }),
    parentId: bigint('parent_id', { mode: 'bigint' }).references((): AnyPgColumn => comments.id, {
      onDelete: 'cascade',
    }),
    kind: text({ enum: ['plain', 'spam'] })
      .notNull()
      .default('plain'),
    body: text().notNull(),
  },
  (t) => [index().on(t.postId, t.id), index().on(t.kind)],
)

const labels = pgTable('labels', { id: smallint().primaryKey(), name: text().notNull().unique() })

const postLabels = pgTable(
  'post_labels',
  {
    postId: uuid('post_id')
      .notNull()
      .references(() => posts.id, { onDelete: 'cascade' }),
    labelId: smallint('label_id')
      .notNull()
      .references(() => labels.id, { onDelete: 'cascade' }),
    weight: integer().notNull().default(0),
  },
  (t) => [primaryKey({ columns: [t.postId, t.labelId] })],
)

const notes = pgTable('notes', { postId: uuid('post_id').notNull(), body: text().notNull() }, (t) => [
  index().on(t.postId),
])

export const relations = defineRelations(
  { regions, users, profiles, posts, comments, labels, postLabels, notes },
  (r) => ({
    regions: { users: r.many.users() },
    users: {
      region: r.one.regions({ from: r.users.regionCode, to: r.regions.code }),
      mentor: r.one.users({ from: r.users.mentorId, to: r.users.id, alias: 'mentor' }),
      students: r.many.users({ alias: 'mentor' }),
      profile: r.one.profiles({ from: r.users.id, to: r.profiles.userId }),
      posts: r.many.posts({ alias: 'author' }),
      edited: r.many.posts({ alias: 'editor' }),
      comments: r.many.comments({ alias: 'author' }),
      spam: r.many.comments({ alias: 'activeAuthor' }),
    },
    profiles: { user: r.one.users({ from: r.profiles.userId, to: r.users.id, optional: false }) },
    posts: {
      author: r.one.users({ from: r.posts.authorId, to: r.users.id, optional: false, alias: 'author' }),
      editor: r.one.users({ from: r.posts.editorId, to: r.users.id, alias: 'editor' }),
      comments: r.many.comments({ alias: 'post' }),
      spam: r.many.comments({ from: r.posts.id, to: r.comments.postId, where: { kind: 'spam' }, alias: 'spam' }),
      labels: r.many.labels({
        from: r.posts.id.through(r.postLabels.postId),
        to: r.labels.id.through(r.postLabels.labelId),
      }),
      notes: r.many.notes({ from: r.posts.id, to: r.notes.postId }),
    },
    comments: {
      post: r.one.posts({ from: r.comments.postId, to: r.posts.id, optional: false, alias: 'post' }),
      author: r.one.users({ from: r.comments.authorId, to: r.users.id, alias: 'author' }),
      activeAuthor: r.one.users({
        from: r.comments.authorId,
        to: r.users.id,
        alias: 'activeAuthor',
        where: { active: true },
      }),
      parent: r.one.comments({ from: r.comments.parentId, to: r.comments.id, alias: 'parent' }),
      replies: r.many.comments({ alias: 'parent' }),
    },
    labels: { posts: r.many.posts() },
    postLabels: {
      post: r.one.posts({ from: r.postLabels.postId, to: r.posts.id, optional: false }),
      label: r.one.labels({ from: r.postLabels.labelId, to: r.labels.id, optional: false }),
    },
    notes: { post: r.one.posts({ from: r.notes.postId, to: r.posts.id }) },
  }),
)

/** The UUID of the post with a number. */
export function postId(n: number): string {
  return `0000000${n}-0000-4000-8000-abcdefabcdef`
}

/** The tables, and few rows of few values each, so that filters and writes meet. */
export const taggedSql = `
create type status as enum ('draft', 'live', 'gone');
create table regions (code varchar(8) primary key, name text not null);
create table users (id integer primary key, handle text not null unique,
  region_code varchar(8) references regions on update cascade on delete set null,
  mentor_id integer references users on delete set null, active boolean not null default true);
create index on users (active, id);
create table profiles (user_id integer primary key references users on delete cascade, bio text not null);
create table posts (id uuid primary key, title text not null, slug text generated always as (lower(title)) stored,
  status status not null default 'draft', rank integer not null default 0,
  author_id integer not null references users on delete cascade,
  editor_id integer default 1 references users on delete set default);
create index on posts (slug);
create index on posts (status, rank desc);
create index on posts (author_id);
create table comments (id bigint primary key, post_id uuid not null references posts on delete cascade,
  author_id integer references users on delete set null, parent_id bigint references comments on delete cascade,
  kind text not null default 'plain', body text not null);
create index on comments (post_id, id);
create index on comments (kind);
create table labels (id smallint primary key, name text not null unique);
create table post_labels (post_id uuid not null references posts on delete cascade,
  label_id smallint not null references labels on delete cascade, weight integer not null default 0, primary key (post_id, label_id));
create table notes (post_id uuid not null, body text not null);
create index on notes (post_id);
insert into regions values ('se', 'Sweden'), ('no', 'Norway'), ('', 'Nowhere');
insert into users select i, 'User ' || i, (array['se', 'no', '', null])[i % 4 + 1], nullif(i - 1, 0), i % 3 <> 0 from generate_series(1, 5) i;
insert into profiles select i, 'bio ' || i from generate_series(1, 3) i;
insert into posts (id, title, status, rank, author_id, editor_id)
  select ('0000000' || i || '-0000-4000-8000-abcdefabcdef')::uuid, 'Title ' || i % 3, (array['draft', 'live', 'gone']::status[])[i % 3 + 1], i % 2,
    i % 5 + 1, nullif(i % 4, 0) from generate_series(1, 6) i;
insert into comments select i, ('0000000' || i % 5 + 1 || '-0000-4000-8000-abcdefabcdef')::uuid, nullif(i % 4, 0), nullif(i / 3, 0),
  case when i % 3 = 0 then 'spam' else 'plain' end, 'body ' || i from generate_series(1, 9) i;
insert into labels select i, 'label ' || i from generate_series(1, 4) i;
insert into post_labels select ('0000000' || p || '-0000-4000-8000-abcdefabcdef')::uuid, l, p * l from generate_series(1, 6) p, generate_series(1, 4) l where (p + l) % 2 = 0;
insert into notes select ('0000000' || i % 4 + 1 || '-0000-4000-8000-abcdefabcdef')::uuid, 'note ' || i from generate_series(1, 6) i;
`
