import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { dynamic, type AnyQuerySet } from '../../../src/db/dynamic.ts'
import { RefinedPrefetch } from '../../../src/db/prefetch.ts'
import { blogSql, relations } from './blog.ts'
import { engines, open, openBlog, type Blog } from './open-blog.ts'

/** The relations of the blog's models: their kind, where they lead, and the filter that gives the same rows of a parent. */
const models = {
  users: {
    posts: { to: 'posts', filter: { author: 'id' } },
    comments: { to: 'comments', filter: { author: 'id' } },
    students: { to: 'users', filter: { mentor: 'id' } },
    mentor: { to: 'users', filter: { students: 'id' }, one: true },
  },
  categories: { posts: { to: 'posts', filter: { category: 'id' } } },
  posts: {
    author: { to: 'users', filter: { posts: 'id' }, one: true },
    category: { to: 'categories', filter: { posts: 'id' }, one: true },
    comments: { to: 'comments', filter: { post: 'id' } },
    hidden: { to: 'comments', filter: { post: 'id', approved: false } },
    tags: { to: 'tags', filter: { posts: 'id' } },
  },
  comments: {
    post: { to: 'posts', filter: { comments: 'id' }, one: true },
    author: { to: 'users', filter: { comments: 'id' }, one: true },
  },
  tags: { posts: { to: 'posts', filter: { tags: 'id' } } },
} as const satisfies Record<string, Record<string, RelationFacts>>

type ModelName = 'users' | 'categories' | 'posts' | 'comments' | 'tags'

interface RelationFacts {
  readonly to: ModelName
  /** `'id'` stands for the parent's id. */
  readonly filter: Readonly<Record<string, 'id' | boolean>>
  readonly one?: boolean
}

const relationsOf = (model: ModelName): Readonly<Record<string, RelationFacts>> => models[model]

/** How the rows of one relation, or of the whole queryset, are chosen. */
interface Refinement {
  readonly filter: Readonly<Record<string, unknown>> | undefined
  readonly order: readonly string[]
  readonly distinct: string | undefined
  readonly limit: number | undefined
  readonly offset: number | undefined
}

interface Node extends Refinement {
  /** Loaded by a join, where it can be, instead of a statement of its own. */
  readonly joined: boolean
  readonly tree: Tree
}

type Tree = Readonly<Record<string, Node>>

/** Columns to order by: repeated ones, with NULLs, and of joined rows. */
const orders: Readonly<Record<ModelName, readonly string[]>> = {
  users: ['country', '-country', 'mentor.name'],
  categories: ['-name'],
  posts: ['status', '-rating', 'rating', '-author.country', 'category.name'],
  comments: ['approved', '-authorId', 'post.status'],
  tags: ['-label'],
}

const filters: Readonly<Record<ModelName, readonly Readonly<Record<string, unknown>>[]>> = {
  users: [{ country: 'SE' }, { posts: { status: 'draft' } }, { mentor: { id: { gt: 1 } } }],
  categories: [{ id: { gt: 1 } }],
  posts: [{ status: 'published' }, { tags: { id: 2 } }, { id: { in: [1, 4, 6, 7] } }, { rating: { isNull: true } }],
  comments: [{ approved: true }, { post: { author: { country: 'NO' } } }, { id: { gte: 9 } }],
  tags: [{ id: { ne: 2 } }],
}

function refinements(model: ModelName): fc.Arbitrary<Refinement> {
  const maybe = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(arbitrary, { nil: undefined })
  return fc.record({
    filter: maybe(fc.constantFrom(...filters[model])),
    // By id in the end, so that there is one right answer.
    order: fc
      .tuple(fc.uniqueArray(fc.constantFrom(...orders[model]), { maxLength: 2 }), fc.constantFrom('id', '-id'))
      .map(([first, last]) => [...first, last]),
    distinct: fc.option(
      fc.constantFrom(...orders[model]).map((path) => path.replace('-', '')),
      { nil: undefined, freq: 4 },
    ),
    limit: maybe(fc.nat(4)),
    offset: maybe(fc.nat(3)),
  })
}

const all: Refinement = { filter: undefined, order: ['id'], distinct: undefined, limit: undefined, offset: undefined }

/** Random relations of relations; `refine` says how their rows are chosen. */
function trees(
  model: ModelName,
  {
    depth,
    breadth,
    refine,
  }: { depth: number; breadth: number; refine: (model: ModelName) => fc.Arbitrary<Refinement> },
): fc.Arbitrary<Tree> {
  if (depth === 0) return fc.constant({})
  return fc
    .uniqueArray(fc.constantFrom(...Object.keys(models[model])), { minLength: 1, maxLength: breadth })
    .chain((names) => {
      return fc.record(
        Object.fromEntries(
          names.map((name) => {
            const { to, one } = relationsOf(model)[name]!
            const tree = fc.oneof(fc.constant({}), trees(to, { depth: depth - 1, breadth, refine }))
            const joined = one ? fc.boolean() : fc.constant(false)
            return [
              name,
              fc
                .tuple(refine(to), joined, tree)
                .map(([rows, join, inner]): Node => ({ ...(join ? all : rows), joined: join, tree: inner })),
            ]
          }),
        ),
      )
    })
}

function refined(queryset: AnyQuerySet, { filter, order, distinct, limit, offset }: Refinement): AnyQuerySet {
  let rows = queryset.orderBy(...order)
  if (filter) rows = rows.filter(filter)
  if (distinct !== undefined) rows = rows.distinct(distinct)
  if (limit !== undefined) rows = rows.limit(limit)
  return offset === undefined ? rows : rows.offset(offset)
}

/** The queryset with the relations of a tree; `path` leads to the level of the tree. */
function withTree(queryset: AnyQuerySet, tree: Tree, path = ''): AnyQuerySet {
  return Object.entries(tree).reduce((loading, [name, node]) => {
    if (node.joined) return withTree(loading.selectRelated(`${path}${name}`), node.tree, `${path}${name}.`)
    const refine = (rows: AnyQuerySet): AnyQuerySet => withTree(refined(rows, node), node.tree)
    return loading.prefetchRelated(new RefinedPrefetch(`${path}${name}`, refine, undefined))
  }, queryset)
}

/** The relations of a tree that take a statement each. */
function prefetched(tree: Tree): number {
  return Object.values(tree).reduce((sum, node) => sum + (node.joined ? 0 : 1) + prefetched(node.tree), 0)
}

describe.each(engines)('any tree of relations on %s', (engine) => {
  let blog: Blog
  let full: Blog
  beforeAll(async () => {
    blog = await openBlog(engine)
    // Every row has rows of every relation, so that no statement has nothing to ask for.
    const setUp = `${blogSql};
update users set mentor_id = 5 where id = 1;
update posts set category_id = id % 3 + 1;
insert into comments (id, post_id, author_id, body, approved) select 30 + i, i, i % 5 + 1, 'hidden ' || i, false from generate_series(1, 12) i;
`
    full = await open(engine, { relations, setUp })
  })
  afterAll(() => Promise.all([blog.close(), full.close()]))

  it('gives the rows that a query for each parent would give', async () => {
    const expectedOf = async (
      rows: readonly Record<string, unknown>[],
      model: ModelName,
      tree: Tree,
    ): Promise<unknown[]> =>
      Promise.all(
        rows.map(async (row) => {
          const loaded = { ...row }
          for (const [name, node] of Object.entries(tree)) {
            const { to, filter, one } = relationsOf(model)[name]!
            const own = Object.entries(filter).map(([key, value]) => [key, value === 'id' ? { id: row['id'] } : value])
            const found = await refined(dynamic(blog.db[to]).filter(Object.fromEntries(own)), node)
            const children = await expectedOf(found, to, node.tree)
            loaded[name] = one ? (children[0] ?? null) : children
          }
          return loaded
        }),
      )
    const querysets = fc.constantFrom<ModelName>('users', 'posts', 'tags', 'comments', 'categories').chain((model) => {
      return fc.record({
        model: fc.constant(model),
        rows: fc.oneof(refinements(model), fc.constant({ ...all, filter: { id: 3 } }), fc.constant(all)),
        tree: trees(model, { depth: 3, breadth: 2, refine: refinements }),
      })
    })
    await fc.assert(
      fc.asyncProperty(querysets, async ({ model, rows, tree }) => {
        const queryset = withTree(refined(dynamic(blog.db[model]), rows), tree)
        const { result, statements } = await blog.counted(() => queryset)
        expect(statements.filter((text) => text.startsWith('select')).length).toBeLessThanOrEqual(1 + prefetched(tree))
        const expected = await expectedOf(await refined(dynamic(blog.db[model]), rows), model, tree)
        expect(result).toEqual(expected)
        expect(JSON.parse((await queryset.json()).toString())).toEqual(JSON.parse(JSON.stringify(expected)))
      }),
      { numRuns: 60 },
    )
  })

  it('takes as many statements as it has relations to prefetch, whatever the number of rows', async () => {
    const limits = (): fc.Arbitrary<Refinement> => {
      return fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined }).map((limit) => ({ ...all, limit }))
    }
    const reads: Readonly<Record<string, (queryset: AnyQuerySet, rows: number) => PromiseLike<unknown>>> = {
      rows: (queryset, rows) => queryset.limit(rows),
      json: (queryset, rows) => queryset.limit(rows).json(),
      page: (queryset, rows) => queryset.page({ size: rows }),
      numbered: (queryset, rows) => queryset.pageNumber({ page: 1, size: rows }).json(),
      byKey: (queryset) => queryset.find(3),
      byOtherKey: (queryset, rows) =>
        queryset.filter(queryset.model.key === 'posts' ? { slug: 'post-3' } : { id: 2 }).limit(rows),
    }
    const querysets = fc.constantFrom<ModelName>('users', 'posts', 'tags', 'comments', 'categories').chain((model) => {
      return fc.record({ model: fc.constant(model), tree: trees(model, { depth: 3, breadth: 3, refine: limits }) })
    })
    const counts = fc.uniqueArray(fc.integer({ min: 1, max: 12 }), { minLength: 2, maxLength: 3 })
    await fc.assert(
      fc.asyncProperty(
        querysets,
        counts,
        fc.constantFrom(...Object.keys(reads)),
        async ({ model, tree }, sizes, read) => {
          const queryset = withTree(dynamic(full.db[model]).orderBy('id'), tree)
          for (const size of sizes) {
            const { statements } = await full.counted(() => reads[read]!(queryset, size))
            expect(statements.filter((text) => text.startsWith('select'))).toHaveLength(1 + prefetched(tree))
          }
        },
      ),
      { numRuns: 60 },
    )
  })
})
