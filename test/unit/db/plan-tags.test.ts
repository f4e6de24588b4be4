import { sql } from 'drizzle-orm'
import { describe, expect, it } from 'vitest'
import type { DbContext } from '../../../src/db/context.ts'
import { DynamicQuerySet } from '../../../src/db/dynamic-queryset.ts'
import { planTags, type AnyQuerySet } from '../../../src/db/dynamic.ts'
import { RefinedPrefetch } from '../../../src/db/prefetch.ts'
import { ShapeTree } from '../../../src/db/shape.ts'
import { buildModelGraph } from '../../../src/schema/index.ts'
import { postId, relations } from '../../integration/db/tagged.ts'

const graph = buildModelGraph(relations)
const context = { graph, tree: new ShapeTree(graph, 1000), secret: 'a secret for tests' } as DbContext

function all(model: string): AnyQuerySet {
  return new DynamicQuerySet(context, context.tree.rootOf(model), [])
}

function prefetch(path: string, refine: (rows: AnyQuerySet) => AnyQuerySet): RefinedPrefetch {
  return new RefinedPrefetch(path, refine, undefined)
}

const [users, posts, comments] = [all('users'), all('posts'), all('comments')]
const ids = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1)

const cases: readonly [string, AnyQuerySet, string[]][] = [
  // The table itself.
  ['all rows', users, ['users']],
  ['a column without an index', posts.filter({ title: 'x' }), ['posts']],
  ['a comparison', users.filter({ id: { gt: 5 } }), ['users']],
  ['an alternative', users.filter({ OR: [{ id: 5 }, { handle: 'x' }] }), ['users']],
  ['a denial', users.filter({ NOT: { id: 5 } }), ['users']],
  ['an exclusion', users.exclude({ id: 5 }), ['users']],
  [
    'a part of a key, which leads it',
    all('postLabels').filter({ labelId: 2 }),
    ['post_labels*', 'post_labels.label_id=2'],
  ],

  // Values that must hold.
  ['the key', users.filter({ id: 5 }), ['users*', 'users:5']],
  ['the key by a list', users.filter({ id: { in: [5, 6, 5] } }), ['users*', 'users:5', 'users:6']],
  ['the key in a nested AND', users.filter({ AND: [{ AND: [{ id: 5 }] }, { active: true }] }), ['users*', 'users:5']],
  ['a list of none', users.filter({ id: { in: [] } }), ['users*']],
  ['a list of 50', users.filter({ id: { in: ids(50) } }), ['users*', ...ids(50).map((id) => `users:${id}`)]],
  ['a list of 51', users.filter({ id: { in: ids(51) } }), ['users']],
  [
    'a list of 51 and something else',
    users.filter({ id: { in: ids(51) }, mentorId: 2 }),
    ['users*', 'users.mentor_id=2'],
  ],
  ['a unique column before a foreign key', users.filter({ mentorId: 2, handle: 'x' }), ['users*', 'users.handle=x']],
  ['a value rather than a list', users.filter({ id: { in: [5, 6] } }).filter({ id: 5 }), ['users*', 'users:5']],
  ['no value', users.filter({ mentorId: null }), ['users*', 'users.mentor_id=%00']],
  [
    'a list with no value',
    users.filter({ mentorId: { in: [3, null] } }),
    ['users*', 'users.mentor_id=3', 'users.mentor_id=%00'],
  ],
  ['a constant', users.filter({ active: true }), ['users*', 'users.active=t']],
  ['a member of an enum', posts.filter({ status: 'live' }), ['posts*', 'posts.status=live']],
  ['a member of a list of texts', comments.filter({ kind: 'spam' }), ['comments*', 'comments.kind=spam']],
  ['another spelling', posts.filter({ id: postId(1).toUpperCase() }), ['posts*', `posts:${postId(1)}`]],
  ['a bigint', comments.filter({ id: 4n }), ['comments*', 'comments:4']],
  [
    'a key of two columns',
    all('postLabels').filter({ postId: postId(1), labelId: { in: [2, 3] } }),
    ['post_labels*', `post_labels:${postId(1)}:2`, `post_labels:${postId(1)}:3`],
  ],
  [
    'bounds and order by its own columns',
    users.filter({ id: 5 }).orderBy('handle').limit(3).offset(1),
    ['users*', 'users:5'],
  ],

  // Relations.
  ['a join', users.filter({ id: 5 }).selectRelated('mentor'), ['users']],
  [
    'a join by a known foreign key',
    comments.filter({ authorId: 7 }).selectRelated('author'),
    ['comments*', 'comments.author_id=7', 'users*', 'users:7'],
  ],
  [
    'a join of what is not there',
    comments.filter({ authorId: null }).selectRelated('author'),
    ['comments*', 'comments.author_id=%00', 'users*'],
  ],
  [
    'the key of a related row',
    posts.filter({ author: { id: 7 } }),
    ['posts*', 'posts.author_id=7', 'users*', 'users:7'],
  ],
  [
    'the key two hops away',
    comments.filter({ post: { author: { id: 7 } } }),
    ['comments', 'posts*', 'posts.author_id=7', 'users*', 'users:7'],
  ],
  [
    'an order through a relation',
    posts.filter({ authorId: 7 }).orderBy('author.handle'),
    ['posts*', 'posts.author_id=7', 'users*', 'users:7'],
  ],
  [
    'flat rows through a relation',
    posts.filter({ authorId: 7 }).values('editor.handle'),
    ['users', 'posts*', 'posts.author_id=7'],
  ],
  [
    'a related row of any kind',
    users.filter({ id: 3, posts: { status: 'live' } }),
    ['users*', 'users:3', 'posts*', 'posts.author_id=3'],
  ],
  ['no related row', users.filter({ id: 3, profile: false }), ['users*', 'users:3', 'profiles*', 'profiles:3']],
  [
    'a relation with a where of its own',
    posts.filter({ id: postId(1), spam: true }),
    ['posts*', `posts:${postId(1)}`, 'comments*', `comments.post_id=${postId(1)}`],
  ],
  ['a relation whose where alone is known', posts.filter({ spam: true }), ['posts', 'comments*', 'comments.kind=spam']],
  ['a where on the rows themselves', users.filter({ spam: true }), ['users*', 'users.active=t', 'comments']],
  [
    'through a junction',
    posts.filter({ labels: { id: 2 } }),
    ['posts', 'post_labels*', 'post_labels.label_id=2', 'labels*', 'labels:2'],
  ],
  [
    'through a junction by a unique column',
    posts.filter({ labels: { name: 'bread' } }),
    ['posts', 'post_labels', 'labels*', 'labels.name=bread'],
  ],

  // Prefetches.
  [
    'a prefetch',
    posts.filter({ id: postId(1) }).prefetchRelated('comments'),
    ['posts*', `posts:${postId(1)}`, 'comments*', `comments.post_id=${postId(1)}`],
  ],
  [
    'a prefetch of rows that are not known',
    posts.filter({ title: 'x' }).prefetchRelated('comments'),
    ['posts', 'comments'],
  ],
  [
    'a prefetch through a junction',
    posts.filter({ id: postId(1) }).prefetchRelated('labels'),
    ['labels', 'posts*', `posts:${postId(1)}`, 'post_labels*', `post_labels.post_id=${postId(1)}`],
  ],
  [
    'a refined prefetch',
    posts.prefetchRelated(prefetch('comments', (rows) => rows.filter({ authorId: 3 }))),
    ['posts', 'comments*', 'comments.author_id=3'],
  ],
  [
    'a prefetch of a prefetch',
    users
      .filter({ id: 3 })
      .prefetchRelated(
        prefetch('posts', (rows) =>
          rows.prefetchRelated(prefetch('comments', (inner) => inner.filter({ kind: 'spam' }))),
        ),
      ),
    ['users*', 'users:3', 'posts*', 'posts.author_id=3', 'comments*', 'comments.kind=spam'],
  ],
  [
    'a prefetch of a joined row',
    posts.filter({ authorId: 7 }).selectRelated('author').prefetchRelated('author.profile'),
    ['posts*', 'posts.author_id=7', 'users*', 'users:7', 'profiles*', 'profiles:7'],
  ],

  // SQL of the caller's own.
  [
    'SQL of its own columns',
    users.filter({ id: 3, RAW: (t: { handle: unknown }) => sql`length(${t.handle}) > ${3}` }),
    ['users*', 'users:3'],
  ],
  [
    'SQL that reads another table',
    users.filter({ id: 3, RAW: sql`exists (select 1 from "labels")` }),
    ['labels', 'users*', 'users:3'],
  ],
]

/** Everything: whatever SQL may read that nobody can tell. */
const everything = ['regions', 'users', 'profiles', 'posts', 'comments', 'labels', 'post_labels', 'notes']

describe('the tags of a plan', () => {
  it.each(cases)('by %s', (_, queryset, tags) => {
    expect(planTags(queryset).toSorted()).toEqual(tags.toSorted())
  })

  it.each([
    ['a function of the application', sql`visible_to(id, ${5})`],
    ['a view', sql`id in (select user_id from active_users)`],
    ['a view after a comma', sql`exists (select 1 from labels l, active_users)`],
    ['a view in a join', sql`exists (select 1 from labels l join active_users u on true)`],
    ['a text that only the server can read', sql`handle = 'it\\'s'`],
  ])('are all there are by SQL with %s', (_, RAW) => {
    expect(planTags(users.filter({ id: 3, RAW })).toSorted()).toEqual(everything.toSorted())
  })

  it.each([
    [
      'functions of PostgreSQL',
      sql`lower(handle) like ${'x'} and extract(year from now()) = 2026 and pg_catalog.length(handle) > 2`,
    ],
    ['a function of rows', sql`exists (select 1 from unnest(${'{1,2}'}::int[]) as x(id) where x.id = 1)`],
    ['a table of its own', sql`id in (with some(n) as (select 1), more as (select n from some) select n from more)`],
  ])('stay fine by SQL with %s', (_, RAW) => {
    expect(planTags(users.filter({ id: 3, RAW })).toSorted()).toEqual(['users*', 'users:3'])
  })

  it('of a count do not depend on what would be loaded', () => {
    const loaded = posts
      .filter({ authorId: 7 })
      .selectRelated('editor')
      .prefetchRelated('labels')
      .orderBy('editor.handle')
    expect(planTags(loaded, 'count')).toEqual(['posts*', 'posts.author_id=7'])
    expect(planTags(loaded.distinct('editor.handle'), 'count')).toEqual(['users', 'posts*', 'posts.author_id=7'])
  })

  it('are those of the values at hand, from one shape', () => {
    const by = (id: number): AnyQuerySet =>
      users.filter({ id }).prefetchRelated(prefetch('posts', (rows) => rows.filter({ editorId: id })))
    expect(by(1).shape).toBe(by(2).shape)
    expect(planTags(by(1))).toEqual(['users*', 'users:1', 'posts*', 'posts.author_id=1'])
    expect(planTags(by(2))).toEqual(['users*', 'users:2', 'posts*', 'posts.author_id=2'])
  })
})
