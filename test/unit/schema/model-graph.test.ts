import { defineRelations, defineRelationsPart, sql } from 'drizzle-orm'
import {
  foreignKey,
  index,
  integer,
  pgEnum,
  pgSchema,
  pgTable,
  pgTableCreator,
  pgView,
  primaryKey,
  serial,
  text,
  timestamp,
  unique,
  uniqueIndex,
  uuid,
  varchar,
} from 'drizzle-orm/pg-core'
import { mysqlTable, int as mysqlInt } from 'drizzle-orm/mysql-core'
import { describe, expect, test } from 'vitest'
import { isPlimsollError } from '../../../src/core/errors.ts'
import { buildModelGraph, reservedModelKeys } from '../../../src/schema/index.ts'
import type { Column, Model } from '../../../src/schema/model.ts'

const keys = (columns: readonly Column[]): string[] => columns.map((column) => column.key)

function setup() {
  const app = pgSchema('app')
  const users = pgTable('users', {
    id: integer().primaryKey().generatedAlwaysAsIdentity(),
    email: text().notNull().unique(),
    managerId: integer('manager_id'),
  })
  const posts = app.table(
    'posts "of" users',
    {
      id: serial().primaryKey(),
      authorId: integer('author_id')
        .notNull()
        .references(() => users.id),
      editorId: integer('editor_id').references(() => users.id),
      title: text().notNull(),
      slug: varchar({ length: 80 }),
      publishedAt: timestamp('published_at', { withTimezone: true }),
      updatedAt: timestamp()
        .notNull()
        .$onUpdateFn(() => new Date(0)),
      state: text()
        .notNull()
        .default('draft')
        .$onUpdateFn(() => 'touched'),
      token: uuid()
        .notNull()
        .$defaultFn(() => 'generated'),
      shout: text().generatedAlwaysAs(sql`upper(title)`),
    },
    (t) => [
      index().on(t.authorId, t.publishedAt.desc(), t.id.desc().nullsFirst()),
      index().on(sql`lower(${t.title})`, t.id),
      index().on(t.title, sql`lower(${t.slug})`, t.id),
      index().on(t.slug.op('text_pattern_ops')),
      index().using('gin', t.title),
      uniqueIndex()
        .on(t.slug)
        .where(sql`${t.publishedAt} is not null`),
      unique().on(t.authorId, t.title),
    ],
  )
  const tags = pgTable('tags', { id: uuid().primaryKey().defaultRandom(), label: text().notNull() })
  const postTags = pgTable('post_tags', { postId: integer(), tagId: uuid() }, (t) => [
    primaryKey({ columns: [t.tagId, t.postId] }),
  ])
  const relations = defineRelations({ users, posts, tags, postTags }, (r) => ({
    users: {
      posts: r.many.posts(),
      edited: r.many.posts({ from: r.users.id, to: r.posts.editorId, alias: 'editor' }),
      livePosts: r.many.posts({
        from: r.users.id,
        to: r.posts.authorId,
        alias: 'live',
        where: { publishedAt: { isNotNull: true } },
      }),
      manager: r.one.users({ from: r.users.managerId, to: r.users.id }),
    },
    posts: {
      author: r.one.users({ from: r.posts.authorId, to: r.users.id, optional: false }),
      editor: r.one.users({ from: r.posts.editorId, to: r.users.id, alias: 'editor' }),
      tags: r.many.tags({
        from: r.posts.id.through(r.postTags.postId),
        to: r.tags.id.through(r.postTags.tagId),
        where: { label: 'x' },
      }),
      liveAuthor: r.one.users({ alias: 'live' }),
    },
    tags: { posts: r.many.posts() },
  }))
  return { relations, users, posts, tags, postTags, graph: buildModelGraph(relations) }
}

describe('a model', () => {
  test('has its name quoted, with its schema', () => {
    const { graph } = setup()
    expect(graph.models.get('users')!.sql).toBe('"users"')
    expect(graph.models.get('posts')!.sql).toBe('"app"."posts ""of"" users"')
    expect([...graph.models.keys()]).toEqual(['users', 'posts', 'tags', 'postTags'])
  })

  test('has its columns by key, in the order of the table', () => {
    const columns = setup().graph.models.get('posts')!.columns
    expect([...columns.keys()].slice(0, 3)).toEqual(['id', 'authorId', 'editorId'])
    expect(columns.get('authorId')).toMatchObject({ name: 'author_id', sql: '"author_id"', notNull: true })
  })

  test('names columns as a casing table creator does', () => {
    const snake = pgTableCreator((name) => `app_${name}`, 'snake_case')
    const graph = buildModelGraph(defineRelations({ notes: snake('notes', { noteId: integer().primaryKey() }) }))
    expect(graph.models.get('notes')).toMatchObject({ name: 'app_notes' })
    expect(graph.models.get('notes')!.columns.get('noteId')!.name).toBe('note_id')
  })

  test('knows which columns an insert may leave out and which it must', () => {
    const { columns } = setup().graph.models.get('posts')!
    const optional = [...columns.values()].filter((column) => column.optionalOnInsert).map((column) => column.key)
    expect(optional).toEqual(['id', 'editorId', 'slug', 'publishedAt', 'updatedAt', 'state', 'token', 'shout'])
    expect(columns.get('shout')!.readOnly).toBe(true)
    expect(setup().graph.models.get('users')!.columns.get('id')!.readOnly).toBe(true)
    expect(columns.get('id')!.readOnly).toBe(false)
  })

  test('carries the defaults that run in JavaScript', () => {
    const { columns } = setup().graph.models.get('posts')!
    expect(columns.get('token')!.insertDefault?.()).toBe('generated')
    expect(columns.get('updatedAt')!.insertDefault?.()).toEqual(new Date(0))
    expect(columns.get('updatedAt')!.updateDefault?.()).toEqual(new Date(0))
    expect(columns.get('state')!.insertDefault).toBeUndefined()
    expect(columns.get('state')!.updateDefault?.()).toBe('touched')
  })

  test('has its primary key, single or composite in the order of the key, and its columns are NOT NULL', () => {
    const { models } = setup().graph
    expect(keys(models.get('users')!.primaryKey)).toEqual(['id'])
    expect(keys(models.get('postTags')!.primaryKey)).toEqual(['tagId', 'postId'])
    expect(models.get('postTags')!.columns.get('postId')).toMatchObject({ notNull: true, optionalOnInsert: false })
    const graph = buildModelGraph(defineRelations({ logs: pgTable('logs', { line: text() }) }))
    expect(graph.models.get('logs')!.primaryKey).toEqual([])
  })

  test('has its unique sets: the primary key, constraints and whole unique indexes', () => {
    const { models } = setup().graph
    expect(models.get('users')!.uniques.map(keys)).toEqual([['id'], ['email']])
    expect(models.get('posts')!.uniques.map(keys)).toEqual([['id'], ['authorId', 'title']])
  })

  test('has its B-tree indexes with their directions, cut where an expression or another operator class begins', () => {
    const { indexes } = setup().graph.models.get('posts')!
    const shown = indexes.map(({ columns, unique: isUnique, partial }) => ({
      columns: columns.map(
        ({ column, descending, nulls }) => `${column.key}${descending ? ' desc' : ''} nulls ${nulls}`,
      ),
      unique: isUnique,
      partial,
    }))
    expect(shown).toEqual([
      { columns: ['id nulls last'], unique: true, partial: false },
      { columns: ['authorId nulls last', 'title nulls last'], unique: true, partial: false },
      {
        columns: ['authorId nulls last', 'publishedAt desc nulls last', 'id desc nulls first'],
        unique: false,
        partial: false,
      },
      { columns: ['title nulls last'], unique: false, partial: false },
      { columns: ['slug nulls last'], unique: true, partial: true },
    ])
  })

  test('has its foreign keys', () => {
    const [author] = setup().graph.models.get('posts')!.foreignKeys
    expect(keys(author!.columns)).toEqual(['authorId'])
    expect(author).toMatchObject({ foreignTable: 'users', foreignColumns: ['id'] })
  })
})

describe('a relation', () => {
  const relation = (path: string) => {
    const [model = '', name = ''] = path.split('.')
    const found = setup().graph.models.get(model)!.relations.get(name)!
    return {
      kind: found.kind,
      target: found.target,
      on: `${keys(found.sourceColumns).join()} = ${keys(found.targetColumns).join()}`,
      through:
        found.through &&
        `${keys(found.through.sourceColumns).join()} > ${found.through.model.key} > ${keys(found.through.targetColumns).join()}`,
      optional: found.optional,
      certain: found.certain,
      where: found.where,
      whereOn: found.whereOn,
    }
  }

  test('to one is certain only with NOT NULL columns and a foreign key', () => {
    expect(relation('posts.author')).toMatchObject({
      kind: 'one',
      target: 'users',
      on: 'authorId = id',
      optional: false,
      certain: true,
    })
    expect(relation('posts.editor')).toMatchObject({ kind: 'one', on: 'editorId = id', optional: true, certain: false })
    expect(relation('users.manager')).toMatchObject({ target: 'users', on: 'managerId = id', certain: false })
  })

  test('to many takes its columns from the other side when it names none', () => {
    expect(relation('users.posts')).toMatchObject({
      kind: 'many',
      target: 'posts',
      on: 'id = authorId',
      where: undefined,
      certain: false,
    })
  })

  test('through a junction knows the junction from both ends', () => {
    expect(relation('posts.tags')).toMatchObject({
      on: 'id = id',
      through: 'postId > postTags > tagId',
      where: { label: 'x' },
      whereOn: 'target',
    })
    expect(relation('tags.posts')).toMatchObject({ on: 'id = id', through: 'tagId > postTags > postId' })
  })

  test('keeps its filter, and a reverse relation filters its own side', () => {
    expect(relation('users.livePosts')).toMatchObject({
      where: { publishedAt: { isNotNull: true } },
      whereOn: 'target',
    })
    expect(relation('posts.liveAuthor')).toMatchObject({
      where: { publishedAt: { isNotNull: true } },
      whereOn: 'source',
      certain: false,
    })
    expect(relation('tags.posts')).toMatchObject({ where: { label: 'x' }, whereOn: 'source' })
  })

  test('on a composite foreign key is certain whatever the order of its columns', () => {
    const rooms = pgTable('rooms', { house: integer(), number: integer() }, (t) => [
      primaryKey({ columns: [t.house, t.number] }),
    ])
    const beds = pgTable(
      'beds',
      { id: serial().primaryKey(), room: integer().notNull(), house: integer().notNull() },
      (t) => [foreignKey({ columns: [t.room, t.house], foreignColumns: [rooms.number, rooms.house] })],
    )
    const graph = buildModelGraph(
      defineRelations({ rooms, beds }, (r) => ({
        beds: { inRoom: r.one.rooms({ from: [r.beds.house, r.beds.room], to: [r.rooms.house, r.rooms.number] }) },
      })),
    )
    expect(graph.models.get('beds')!.relations.get('inRoom')!.certain).toBe(true)
  })

  test('may come from a part of the relations', () => {
    const { users, posts } = setup()
    const main = defineRelations({ users, posts }, (r) => ({
      users: { posts: r.many.posts({ from: r.users.id, to: r.posts.authorId }) },
    }))
    const part = defineRelationsPart({ users, posts }, (r) => ({
      posts: { author: r.one.users({ from: r.posts.authorId, to: r.users.id }) },
    }))
    const graph = buildModelGraph({ ...main, ...part })
    expect([...graph.models.get('posts')!.relations.keys()]).toEqual(['author'])
    expect([...graph.models.get('users')!.relations.keys()]).toEqual(['posts'])
  })
})

describe('the graph', () => {
  test('is frozen all the way down', () => {
    const { graph } = setup()
    const posts = graph.models.get('posts')!
    const author = posts.relations.get('author')!
    const frozen: object[] = [
      graph,
      posts,
      posts.primaryKey,
      posts.uniques,
      posts.uniques[0]!,
      posts.indexes,
      posts.indexes[0]!,
      posts.indexes[0]!.columns,
      posts.indexes[0]!.columns[0]!,
      posts.foreignKeys,
      posts.foreignKeys[0]!,
      posts.foreignKeys[0]!.columns,
      posts.columns.get('id')!,
      posts.columns.get('id')!.codec,
      author,
      author.sourceColumns,
      posts.relations.get('tags')!.through!,
    ]
    for (const object of frozen) expect(Object.isFrozen(object)).toBe(true)
  })

  test('refuses to change its maps', () => {
    const { graph } = setup()
    const maps = [graph.models, graph.models.get('posts')!.columns, graph.models.get('posts')!.relations] as Map<
      string,
      never
    >[]
    for (const map of maps) {
      expect(() => map.set('more', {} as never)).toThrow('frozen')
      expect(() => map.delete('id')).toThrow('frozen')
      expect(() => map.clear()).toThrow('frozen')
    }
  })
})

describe('a schema that cannot be used is refused with the table and the fix', () => {
  const message = (relations: unknown): string => {
    try {
      buildModelGraph(relations)
    } catch (error) {
      if (isPlimsollError(error, 'PLIMSOLL_SCHEMA_INVALID')) return error.message
      throw error
    }
    throw new Error('was accepted')
  }
  const a = pgTable('a', { id: integer().primaryKey(), bId: text('b_id') })
  const b = pgTable('b', { id: integer().primaryKey() })

  test.each([undefined, null, 'users', [], 7])('no relations at all: %j', (relations) => {
    expect(message(relations)).toMatch(
      /^The relations are .*; pass what defineRelations\(…\) of drizzle-orm returned\.$/,
    )
  })

  test('no tables', () => {
    expect(message(defineRelations({}))).toBe(
      'The relations hold no table; pass defineRelations({ users, posts }, …) with at least one table.',
    )
  })

  test('bare tables', () => {
    expect(message({ a })).toBe(
      `'a' is a bare table; pass defineRelations({ a, … }), which also works without any relation.`,
    )
  })

  test('a view', () => {
    const view = pgView('recent').as((qb) => qb.select().from(a))
    expect(message(defineRelations({ a, view }))).toBe(
      "'view' is a view or a subquery, and only tables can be models; leave it out of defineRelations and read it with db.drizzle.",
    )
  })

  test('a table of another database', () => {
    const foreign = mysqlTable('m', { id: mysqlInt().primaryKey() })
    expect(message(defineRelations({ foreign }))).toBe(
      "'foreign' is not a PostgreSQL table; define it with pgTable of drizzle-orm/pg-core.",
    )
  })

  test.each([...reservedModelKeys])('the key %s', (key) => {
    expect(message(defineRelations({ [key]: a }))).toBe(
      `The table a cannot be the model '${key}': db.${key} means something else. ` +
        `Name it otherwise in defineRelations, for example { ${key}Rows: … }; the table's own name can stay.`,
    )
  })

  test.each(['a.b', 'a,b', '-a', 'a[0]', 'OR', 'AND', 'NOT', 'RAW'])('the property %s', (key) => {
    expect(message(defineRelations({ t: pgTable('t', { [key]: text('fine') }) }))).toBe(
      `The table t has a property '${key}', which paths and filters cannot spell. ` +
        `Rename the property; the column can keep its name: { otherName: text('fine') }.`,
    )
  })

  test('two primary keys', () => {
    expect(
      message(defineRelations({ t: pgTable('t', { x: integer().primaryKey(), y: integer().primaryKey() }) })),
    ).toBe(
      "The table t calls .primaryKey() on 'x', 'y'; a table has one primary key: write primaryKey({ columns: [t.x, t.y] }).",
    )
  })

  test('a primary key on a column beside one of the table', () => {
    const t = pgTable('t', { x: integer().primaryKey(), y: integer() }, (t) => [primaryKey({ columns: [t.x, t.y] })])
    expect(message(defineRelations({ t }))).toBe(
      "The table t calls .primaryKey() on 'x' and has primaryKey({ columns: [t.x, t.y] }) too; a table has one primary key: " +
        'take .primaryKey() off the column.',
    )
  })

  test('two primary keys of the table', () => {
    const t = pgTable('t', { x: integer(), y: integer() }, (t) => [
      primaryKey({ columns: [t.x] }),
      primaryKey({ columns: [t.y] }),
    ])
    expect(message(defineRelations({ t }))).toBe(
      'The table t has primaryKey({ … }) 2 times; a table has one primary key: keep one of them, and make the others unique().',
    )
  })

  test('two properties of one column', () => {
    const t = pgTable('t', { id: integer().primaryKey(), name: text('title'), title: text(), label: text('title') })
    expect(message(defineRelations({ t }))).toBe(
      "The table t has the column title 3 times, as 'name', 'title', 'label'; keep one of these properties, or give each a column of its own.",
    )
  })

  test('a relation whose columns differ in type', () => {
    const relations = defineRelations({ a, b }, (r) => ({ a: { b: r.one.b({ from: r.a.bId, to: r.b.id }) } }))
    expect(message(relations)).toBe(
      "The relation 'a.b' joins a.bId (text) with b.id (integer); give both columns the same type.",
    )
  })

  test('a junction whose columns differ in type', () => {
    const link = pgTable('link', { aId: integer().notNull(), bId: uuid().notNull() })
    const relations = defineRelations({ a, b, link }, (r) => ({
      a: { bs: r.many.b({ from: r.a.id.through(r.link.aId), to: r.b.id.through(r.link.bId) }) },
    }))
    expect(message(relations)).toBe(
      "The relation 'a.bs' joins b.id (integer) with link.bId (uuid); give both columns the same type.",
    )
  })

  test('integers of different sizes and texts of different lengths may be joined', () => {
    const first = pgTable('first', { id: serial().primaryKey(), code: varchar({ length: 3 }) })
    const second = pgTable('second', { oneId: integer(), code: text() })
    const relations = defineRelations({ first, second }, (r) => ({
      second: { byId: r.one.first({ from: [r.second.oneId, r.second.code], to: [r.first.id, r.first.code] }) },
    }))
    expect(buildModelGraph(relations).models.size).toBe(2)
  })

  test('a target that is missing', () => {
    const relations = defineRelations({ a, b }, (r) => ({ a: { b: r.one.b({ from: r.a.id, to: r.b.id }) } }))
    expect(message({ a: relations.a })).toBe(
      "The relation 'a.b' leads to 'b', which is not among the models 'a'. " +
        'Add the table to defineRelations; parts are put together as { ...relations, ...otherPart }.',
    )
  })

  test('a target key that stands for two tables', () => {
    const relations = defineRelations({ a, b }, (r) => ({ a: { b: r.one.b({ from: r.a.id, to: r.b.id }) } }))
    const others = defineRelations({ b: pgTable('other', { id: integer().primaryKey() }) })
    expect(message({ ...relations, ...others })).toBe(
      "The relation 'a.b' leads to a table other than the one that the key 'b' stands for. " +
        'Use the same key for the same table in every part of the relations.',
    )
  })

  test('a junction that is missing', () => {
    const link = pgTable('link', { aId: integer().notNull(), bId: integer().notNull() })
    const relations = defineRelations({ a, b, link }, (r) => ({
      a: { bs: r.many.b({ from: r.a.id.through(r.link.aId), to: r.b.id.through(r.link.bId) }) },
    }))
    expect(message({ a: relations.a, b: relations.b })).toBe(
      "The relation 'a.bs' goes through 'link', which is not among the models 'a', 'b'. " +
        'Add that table to defineRelations; it needs no relations of its own.',
    )
  })

  test('a relation with the name of a column, should Drizzle let it pass', () => {
    const relations = defineRelations({ a, b }, (r) => ({ a: { other: r.one.b({ from: r.a.id, to: r.b.id }) } }))
    const renamed = { ...relations, a: { ...relations.a, relations: { bId: relations.a.relations.other } } }
    expect(message(renamed)).toBe("The relation 'a.bId' has the name of a column of a; rename the relation.")
  })

  test('relation objects of another release of Drizzle', () => {
    const relations = defineRelations({ a, b }, (r) => ({ a: { b: r.one.b({ from: r.a.id, to: r.b.id }) } }))
    const old = { ...relations.a.relations.b, sourceColumns: [a.id] }
    const expected = (where: string): string =>
      `'${where}' does not look like a relation object of drizzle-orm 1.0.0-rc.5, the release that Plimsoll reads. ` +
      'Run: npm install drizzle-orm@1.0.0-rc.5 (and use defineRelations, not the older relations()).'
    expect(message({ b: relations.b, a: { ...relations.a, relations: { b: old } } })).toBe(expected('a.b'))
    expect(message({ a: { config: () => ({}) } })).toBe(expected('a'))
  })

  test('the details name the table and the relation', () => {
    const relations = defineRelations({ a, b }, (r) => ({ a: { b: r.one.b({ from: r.a.bId, to: r.b.id }) } }))
    expect(() => buildModelGraph(relations)).toThrow(
      expect.objectContaining({ details: { table: 'a', relation: 'b' } }),
    )
  })
})

test('the type of a cast has no length, no serial, and names enums with their schema', () => {
  const app = pgSchema('app')
  const graph = buildModelGraph(
    defineRelations({
      t: pgTable('t', {
        id: serial().primaryKey(),
        name: varchar({ length: 20 }),
        names: varchar({ length: 20 }).array(),
        at: timestamp({ precision: 3, withTimezone: true }),
        mood: pgEnum('my mood', ['a'])(),
        other: app.enum('other', ['a'])().array('[][]'),
      }),
    }),
  )
  const { columns } = graph.models.get('t') as Model
  expect([...columns.values()].map((column) => column.codec.sqlType)).toEqual([
    'integer',
    'varchar',
    'varchar[]',
    'timestamp with time zone',
    '"my mood"',
    '"app"."other"[][]',
  ])
})
