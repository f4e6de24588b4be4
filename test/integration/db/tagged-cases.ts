// Random querysets and random writes over the schema of tagged.ts, for the theorem of tags.
import { sql, type SQL } from 'drizzle-orm'
import fc from 'fast-check'
import type { AnyQuerySet } from '../../../src/db/dynamic.ts'
import type { DynamicModelSet } from '../../../src/db/model-set.ts'
import { RefinedPrefetch } from '../../../src/db/prefetch.ts'
import { createStatement } from '../../../src/postgres/index.ts'
import type { Model, ModelGraph, Relation } from '../../../src/schema/model.ts'
import { postId } from './tagged.ts'

export type Sets = Readonly<Record<string, DynamicModelSet>>

const numbers = fc.integer({ min: 1, max: 6 })
// Any spelling of a UUID is the same value.
const postIds = fc.tuple(numbers, fc.constantFrom('', 'upper', 'plain')).map(([n, spelling]) => {
  const id = postId(n)
  return spelling === 'upper' ? id.toUpperCase() : spelling === 'plain' ? id.replaceAll('-', '') : id
})
const regionCodes = fc.constantFrom('se', 'no', '', 'dk')

/** The values that filters and writes pick from, by model and column. */
const domains: Readonly<Record<string, Readonly<Record<string, fc.Arbitrary<unknown>>>>> = {
  regions: { code: regionCodes, name: fc.constantFrom('Sweden', 'Norway', 'Else') },
  users: {
    id: numbers,
    handle: fc.oneof(
      numbers.map((n) => `User ${n}`),
      fc.constant('x'.repeat(80)),
    ),
    regionCode: regionCodes,
    mentorId: numbers,
    active: fc.boolean(),
  },
  profiles: { userId: numbers, bio: fc.constantFrom('bio 1', 'bio 2', 'new') },
  posts: {
    id: postIds,
    title: fc.constantFrom('Title 0', 'Title 1', 'TITLE 1', 'Title 2'),
    slug: fc.constantFrom('title 0', 'title 1', 'title 2'),
    status: fc.constantFrom('draft', 'live', 'gone'),
    rank: fc.integer({ min: 0, max: 2 }),
    authorId: numbers,
    editorId: numbers,
  },
  comments: {
    id: fc.bigInt({ min: 1n, max: 10n }),
    postId: postIds,
    authorId: numbers,
    parentId: fc.bigInt({ min: 1n, max: 10n }),
    kind: fc.constantFrom('plain', 'spam'),
    body: fc.constantFrom('body 1', 'body 2', 'new'),
  },
  labels: { id: fc.integer({ min: 1, max: 5 }), name: numbers.map((n) => `label ${n}`) },
  postLabels: { postId: postIds, labelId: fc.integer({ min: 1, max: 5 }), weight: fc.integer({ min: 0, max: 3 }) },
  notes: { postId: postIds, body: fc.constantFrom('note 1', 'note 2', 'new') },
}

type RawFilter = (table: Record<string, unknown>) => SQL

/** SQL of the caller's own, with sub-selects and without. */
const raws: Readonly<Record<string, readonly RawFilter[]>> = {
  users: [
    (t) => sql`exists (select 1 from profiles p where p.user_id = ${t['id']} and p.bio <> 'bio 1')`,
    (t) => sql`length(${t['handle']}) > ${5}`,
    (t) =>
      sql`${t['id']} in (with loud as (select "author_id" from "comments" where "kind" = 'spam') select author_id from loud)`,
  ],
  posts: [
    (t) => sql`(select count(*) from comments, users where comments.post_id = ${t['id']} and users.active) > ${3}`,
    (t) => sql`${t['rank']} % 2 = 0`,
  ],
}

const made = new Map<string, unknown>()

/** The same arbitrary for the same model: made anew at every branch of the graph they would be very many. */
function once<T>(kind: string, model: Model, depth: number, make: () => T): T {
  const key = `${kind} ${model.key} ${depth}`
  if (!made.has(key)) made.set(key, make())
  return made.get(key) as T
}

/** A filter of a model, nested so deep at most. */
function filters(graph: ModelGraph, model: Model, depth = 2): fc.Arbitrary<Record<string, unknown>> {
  return once('filters', model, depth, () => makeFilters(graph, model, depth))
}

function makeFilters(graph: ModelGraph, model: Model, depth: number): fc.Arbitrary<Record<string, unknown>> {
  const columns = [...model.columns.values()].map((column) => {
    const values = domains[model.key]![column.key]!
    const list = fc.array(values, { maxLength: 3 })
    return fc
      .oneof(
        { arbitrary: values, weight: 6 },
        { arbitrary: list.map((items) => ({ in: items })), weight: 3 },
        list.map((items) => ({ in: [...items, null] })),
        list.map((items) => ({ notIn: items })),
        values.map((value) => ({ ne: value })),
        fc.boolean().map((isNull) => ({ isNull })),
        values.map((value) => ({ OR: [{ eq: value }, { isNull: true }] })),
        values.map((value) => ({ NOT: { eq: value } })),
        fc.tuple(values, list).map(([value, items]) => ({ eq: value, in: items })),
      )
      .map((value) => ({ [column.key]: value }))
  })
  const raw = (raws[model.key] ?? []).map((RAW) => fc.constant<Record<string, unknown>>({ RAW }))
  const related =
    depth === 0
      ? []
      : [...model.relations.values()].map((relation) => {
          const target = graph.models.get(relation.target)!
          return fc
            .oneof(fc.boolean(), filters(graph, target, depth - 1), filters(graph, target, depth - 1))
            .map((value) => ({ [relation.name]: value }))
        })
  const one: fc.Arbitrary<Record<string, unknown>> = fc.oneof(
    { arbitrary: fc.oneof(...columns), weight: 3 },
    ...(related.length > 0 ? [{ arbitrary: fc.oneof(...related), weight: 2 }] : []),
    ...raw.map((arbitrary) => ({ arbitrary, weight: 1 })),
  )
  if (depth === 0) return one
  const nested = filters(graph, model, depth - 1)
  return fc.oneof(
    { arbitrary: one, weight: 5 },
    { arbitrary: fc.tuple(one, one).map((items) => ({ AND: items })), weight: 2 },
    { arbitrary: fc.tuple(one, one).map(([a, b]) => ({ ...a, ...b })), weight: 2 },
    { arbitrary: fc.tuple(nested, nested).map((items) => ({ OR: items })), weight: 1 },
    { arbitrary: nested.map((item) => ({ NOT: item })), weight: 1 },
  )
}

type Step = (queryset: AnyQuerySet) => AnyQuerySet

const same: Step = (queryset) => queryset

function maybe(step: fc.Arbitrary<Step>, freq = 2): fc.Arbitrary<Step> {
  return fc.option(step, { nil: same, freq })
}

function toOne(model: Model): Relation[] {
  return [...model.relations.values()].filter((relation) => relation.kind === 'one')
}

/** Which rows: filters, and a full order with bounds. */
function chosen(graph: ModelGraph, model: Model): fc.Arbitrary<Step> {
  return once('chosen', model, 0, () => makeChosen(graph, model))
}

/** One value of one column: what is read most, and what fine tags are for. */
function plainFilters(model: Model): fc.Arbitrary<Record<string, unknown>> {
  const columns = [...model.columns.values()].map((column) => {
    const values = domains[model.key]![column.key]!
    const one: fc.Arbitrary<unknown> = fc.oneof(
      { arbitrary: values, weight: 4 },
      { arbitrary: fc.constant(null), weight: column.notNull ? 0 : 1 },
      { arbitrary: values.map((value) => ({ in: [value, null] })), weight: column.notNull ? 0 : 1 },
    )
    return one.map((value) => ({ [column.key]: value }))
  })
  return fc.oneof(...columns)
}

function makeChosen(graph: ModelGraph, model: Model): fc.Arbitrary<Step> {
  const filter = fc.oneof(plainFilters(model), filters(graph, model))
  const paths = [
    ...model.columns.keys(),
    ...toOne(model).flatMap((relation) =>
      [...graph.models.get(relation.target)!.columns.keys()].map((key) => `${relation.name}.${key}`),
    ),
  ]
  const last = model.primaryKey.length > 0 ? model.primaryKey.map((column) => column.key) : [...model.columns.keys()]
  const order = fc
    .uniqueArray(fc.tuple(fc.constantFrom(...paths), fc.constantFrom('', '-')), {
      maxLength: 2,
      selector: ([path]) => path,
    })
    .map((items) => [...items.map(([path, sign]) => `${sign}${path}`), ...last])
  return fc
    .tuple(
      maybe(
        filter.map(
          (value): Step =>
            (queryset) =>
              queryset.filter(value),
        ),
        5,
      ),
      maybe(
        filter.map(
          (value): Step =>
            (queryset) =>
              queryset.exclude(value),
        ),
        1,
      ),
      order.map(
        (items): Step =>
          (queryset) =>
            queryset.orderBy(...items),
      ),
      maybe(
        fc.integer({ min: 0, max: 3 }).map(
          (rows): Step =>
            (queryset) =>
              queryset.limit(rows),
        ),
        1,
      ),
      maybe(
        fc.integer({ min: 0, max: 2 }).map(
          (rows): Step =>
            (queryset) =>
              queryset.offset(rows),
        ),
        1,
      ),
      maybe(
        fc.constantFrom(...paths).map(
          (path): Step =>
            (queryset) =>
              queryset.distinct(path),
        ),
        1,
      ),
    )
    .map(
      (steps): Step =>
        (queryset) =>
          steps.reduce((rows, step) => step(rows), queryset),
    )
}

/** What is loaded with the rows, to so many levels. */
function loaded(graph: ModelGraph, model: Model, depth: number): fc.Arbitrary<Step> {
  return once('loaded', model, depth, () => (depth === 0 ? fc.constant(same) : makeLoaded(graph, model, depth)))
}

function makeLoaded(graph: ModelGraph, model: Model, depth: number): fc.Arbitrary<Step> {
  const joins = toOne(model).flatMap((relation) => {
    const further = toOne(graph.models.get(relation.target)!).map((next) => `${relation.name}.${next.name}`)
    return [relation.name, ...further]
  })
  const join =
    joins.length === 0
      ? fc.constant(same)
      : fc.constantFrom(...joins).map(
          (path): Step =>
            (queryset) =>
              queryset.selectRelated(path),
        )
  const prefetches = [...model.relations.values()].map((relation) => {
    const target = graph.models.get(relation.target)!
    return fc
      .tuple(chosen(graph, target), loaded(graph, target, depth - 1))
      .map(([rows, inner]): Step => (queryset) => {
        const refine = (children: AnyQuerySet): AnyQuerySet => inner(rows(children))
        return queryset.prefetchRelated(new RefinedPrefetch(relation.name, refine, `some_${relation.name}`))
      })
  })
  const prefetch = prefetches.length === 0 ? fc.constant(same) : fc.oneof(...prefetches)
  return fc.tuple(maybe(join), maybe(prefetch)).map(
    ([first, second]): Step =>
      (queryset) =>
        second(first(queryset)),
  )
}

/** One read: the model, its steps, and how it ends. */
export interface Read {
  readonly model: string
  readonly step: Step
  readonly end: 'json' | 'count' | 'exists' | 'page' | 'pageNumber' | 'first'
}

export function reads(graph: ModelGraph): fc.Arbitrary<Read> {
  const ofModel = [...graph.models.values()].map((model) => {
    const rows = chosen(graph, model)
    const flat = fc
      .uniqueArray(
        fc.constantFrom(
          ...model.columns.keys(),
          ...toOne(model).flatMap(({ name, target }) =>
            [...graph.models.get(target)!.columns.keys()].map((key) => `${name}.${key}`),
          ),
        ),
        { minLength: 1, maxLength: 3 },
      )
      .map(
        (paths): Step =>
          (queryset) =>
            queryset.values(...paths),
      )
    const columns = fc.uniqueArray(fc.constantFrom(...model.columns.keys()), { minLength: 1, maxLength: 2 }).map(
      (keys): Step =>
        (queryset) =>
          queryset.only(...keys),
    )
    const whole = fc.tuple(maybe(columns, 1), loaded(graph, model, 2)).map(
      ([first, second]): Step =>
        (queryset) =>
          second(first(queryset)),
    )
    const end = fc.constantFrom('json', 'json', 'json', 'count', 'exists', 'page', 'pageNumber', 'first')
    return fc.record({
      model: fc.constant(model.key),
      step: fc.tuple(rows, fc.oneof({ arbitrary: whole, weight: 4 }, { arbitrary: flat, weight: 1 })).map(
        ([first, second]): Step =>
          (queryset) =>
            second(first(queryset)),
      ),
      end,
    })
  })
  return fc.oneof(...ofModel)
}

/** The answer as text. A page that cannot be (of a bounded queryset) is read as rows. */
export async function answer(queryset: AnyQuerySet, { end }: Read): Promise<string> {
  const { limit, offset, distinct, model } = queryset.shape.spec
  const bounded = limit !== undefined || offset !== undefined || distinct !== undefined || model.primaryKey.length === 0
  switch (end) {
    case 'count':
      return String(await queryset.count())
    case 'exists':
      return String(await queryset.exists())
    case 'first':
      return String(await queryset.first().json())
    case 'page':
      if (!bounded) return (await queryset.page({ size: 2, total: 'exact' }).json()).body.toString()
      break
    case 'pageNumber':
      if (!bounded) return (await queryset.pageNumber({ page: 2, size: 2 }).json()).body.toString()
      break
  }
  return (await queryset.json()).toString()
}

/** One write; it may fail, and then has changed nothing. */
export type Write = (sets: Sets) => Promise<unknown>

export function writes(graph: ModelGraph): fc.Arbitrary<{ name: string; run: Write }> {
  const ofModel = [...graph.models.values()].map((model) => {
    const { key } = model
    const domain = domains[key]!
    const writable = [...model.columns.values()].filter((column) => !column.readOnly)
    const value = (name: string): fc.Arbitrary<unknown> => {
      const column = model.columns.get(name)!
      return column.notNull ? domain[name]! : fc.option(domain[name]!, { freq: 4 })
    }
    const row = fc.record(Object.fromEntries(writable.map((column) => [column.key, value(column.key)])))
    const changesOf = (names: readonly string[]): fc.Arbitrary<Record<string, unknown>> =>
      fc
        .uniqueArray(fc.constantFrom(...names), { minLength: 1, maxLength: 2 })
        .chain((some) => fc.record(Object.fromEntries(some.map((name) => [name, value(name)]))))
    const changes = changesOf(writable.map((column) => column.key))
    const computed =
      key === 'posts'
        ? [fc.constant<Record<string, unknown>>({ rank: sql`rank + 1`, authorId: sql`author_id % 3 + 1` })]
        : []
    const some = chosen(graph, model)
    const targets =
      model.primaryKey.length > 0
        ? some
        : filters(graph, model).map(
            (filter): Step =>
              (queryset) =>
                queryset.filter(filter),
          )
    const uniques = model.uniques.map((unique) => unique.map((column) => column.key))
    const conflict = fc.oneof(
      fc.constant('ignore' as const),
      ...uniques.map((target) =>
        fc
          .oneof(
            fc.constant('all' as const),
            fc.uniqueArray(fc.constantFrom(...writable.map((column) => column.key)), { maxLength: 2 }),
          )
          .map((update) => ({ target, update })),
      ),
    )
    const keys = model.primaryKey.map((column) => column.key)
    const others = writable.filter((column) => !model.primaryKey.includes(column)).map((column) => column.key)
    const keyed = fc
      .tuple(row, changesOf(others))
      .map(([whole, some]) => ({ ...some, ...Object.fromEntries(keys.map((name) => [name, whole[name]])) }))
    const all: fc.Arbitrary<{ name: string; run: Write }>[] = [
      row.map((input) => ({ name: `${key}.create(${show(input)})`, run: (sets) => sets[key]!.create(input) })),
      fc.tuple(fc.array(row, { minLength: 1, maxLength: 3 }), conflict).map(([inputs, onConflict]) => ({
        name: `${key}.createMany(${show(inputs)}, ${show(onConflict)})`,
        run: (sets) => sets[key]!.createMany(inputs, { onConflict }),
      })),
      fc.tuple(targets, fc.oneof(changes, ...computed)).map(([step, set]) => ({
        name: `${key}.update(${Object.keys(set).join()})`,
        run: (sets) => step(sets[key]!).update(set),
      })),
      targets.map((step) => ({ name: `${key}.delete()`, run: (sets) => step(sets[key]!).delete() })),
    ]
    if (keys.length > 0) {
      all.push(
        fc.array(keyed, { minLength: 1, maxLength: 3 }).map((rows) => ({
          name: `${key}.updateMany(${show(rows)})`,
          run: (sets) => sets[key]!.updateMany(rows),
        })),
      )
    }
    if (key === 'notes') {
      // The last are of a post that the first say nothing about.
      const many = Array.from({ length: 120 }, (_, i) => ({ postId: postId(i < 110 ? 1 : 2), body: `many ${i}` }))
      all.push(fc.constant({ name: 'notes.createMany of 120', run: (sets: Sets) => sets['notes']!.createMany(many) }))
    }
    // Updates are where the tags before and after differ.
    return fc.oneof(...all, ...all.slice(2))
  })
  return fc.oneof(...ofModel)
}

/** Statements of unknown origin, which change all kinds of rows; `#` stands for a number. */
const statements: readonly string[] = [
  'delete from users where id = #',
  'delete from "posts" p using users u where p.author_id = u.id and u.id = #',
  'update only "public"."users" as u set mentor_id = # where id <> 2',
  "update regions set code = code || '#' where code <> ''",
  "delete from regions where code = 'se'",
  "with gone as (delete from comments where id = # returning post_id) insert into notes select post_id, 'gone' from gone",
  "with changed as (update posts set title = 'Other #' where rank = 1 returning id) select count(*) from changed",
  'truncate labels cascade',
  'truncate table only notes, profiles',
  "merge into labels l using (values (#, 'merged')) v(id, name) on l.id = v.id when matched then update set name = v.name when not matched then insert values (v.id, v.name)",
  "/* update posts */ insert into profiles -- values\n values (#, 'new') on conflict (user_id) do update set bio = excluded.bio",
  'do $body$ begin delete from post_labels where label_id = #; end $body$',
  "select 'delete from users', $$update posts$$ from posts for update",
  'explain analyze delete from comments where id < #',
  'alter table notes drop column body cascade; alter table notes add column body text',
]

export function sqlWrites(
  tagsOf: (text: string) => readonly string[],
  noted: (tags: readonly string[]) => void,
): fc.Arbitrary<{ name: string; run: Write }> {
  return fc.tuple(fc.constantFrom(...statements), numbers).map(([template, n]) => {
    const text = template.replaceAll('#', String(n))
    const run: Write = async (sets) => {
      // One by one: a prepared statement holds no second one.
      for (const part of text.split('; alter').map((sql, i) => (i > 0 ? `alter${sql}` : sql))) {
        await sets['users']!.context.door.execute(createStatement(part, { prepare: false }), [])
      }
      noted(tagsOf(text))
    }
    return { name: text, run }
  })
}

function show(value: unknown): string {
  return JSON.stringify(value, (_, item: unknown) => (typeof item === 'bigint' ? `${item}n` : item))
}
