import { sql, type RelationsFilter } from 'drizzle-orm'
import { db } from './fixture.ts'
import type { Filter } from '../../src/db/types/filter.ts'
import type { relations } from './schema.ts'

type Relations = typeof relations

// by value, by operator, by null
db.posts.filter({ id: 1, title: 'a', editorId: null, publishedAt: new Date(0) })
db.posts.filter({ id: { gte: 1, lt: 5 }, title: { ilike: 'a%', NOT: 'abc' }, editorId: { isNull: true } })
db.posts.filter({ id: { in: [1, 2] }, editorId: { in: [1, null] }, body: { ne: null } })
db.posts.filter({ title: { OR: ['a', { like: 'b%' }] } })
db.posts.filter({ meta: { eq: { readingMinutes: 3 } }, keywords: { arrayContains: ['a', 'b'], eq: ['a'] } })
db.authors.filter({ score: 5n, role: 'writer' }).exclude({ role: { in: ['reader', 'editor'] } })
db.comments.filter({ approved: true })

// through relations of every kind
db.posts.filter({
  author: { company: { country: 'SE' } },
  tags: { slug: { in: ['a'] } },
  comments: false,
  editor: true,
})
db.comments.filter({ replies: { replies: { approved: true } }, parent: { parent: { parent: { id: 1 } } } })

// combined
db.posts.filter({ OR: [{ id: 1 }, { author: { name: 'a' }, NOT: { title: 'b' } }], AND: [{ id: { gt: 1 } }] })
db.posts.filter({ RAW: (table, operators) => operators.sql`length(${table.title}) > ${3}`, tags: { RAW: sql`true` } })
db.postTags.filter({ position: null, OR: [{ postId: 1 }] })

// operators that the type of the column has
db.posts.filter({ title: { like: 'a%', notIlike: '%b' }, body: { OR: [{ like: 'a%' }, { NOT: { ilike: 'b%' } }] } })
db.posts.filter({ keywords: { arrayOverlaps: ['a'], OR: [{ arrayContained: ['b'] }, { isNull: true }] } })
// @ts-expect-error patterns are for text
db.posts.filter({ id: { like: '1%' } })
// @ts-expect-error patterns are for text
db.posts.filter({ publishedAt: { ilike: '2026%' } })
// @ts-expect-error patterns are for text, inside OR too
db.posts.filter({ id: { OR: [{ like: '1%' }] } })
// @ts-expect-error patterns are for text, not for arrays of it
db.posts.filter({ keywords: { like: 'a%' } })
// @ts-expect-error array operators are for arrays
db.posts.filter({ title: { arrayContains: ['a'] } })
// @ts-expect-error array operators are for arrays
db.posts.filter({ id: { arrayOverlaps: [1] } })
// @ts-expect-error not the type of the elements
db.posts.filter({ keywords: { arrayContains: [1] } })
// @ts-expect-error no pattern of a UUID
db.companies.filter({ token: { like: 'a%' } })

// what Drizzle's own type takes, ours takes
const drizzles = {
  id: { gt: 1, OR: [{ eq: 1 }] },
  title: 'a',
  author: { company: { country: { isNotNull: true } } },
  OR: [{ tags: { label: 'a' } }, { NOT: { keywords: { arrayOverlaps: ['a'] } } }],
} as const satisfies RelationsFilter<Relations['posts'], Relations>
db.posts.filter(drizzles)
const named: Filter<'posts', Relations> = drizzles
db.posts.filter(named).exclude(named)

// @ts-expect-error unknown column
db.posts.filter({ titel: 'a' })
// @ts-expect-error unknown column of a relation
db.posts.filter({ author: { nam: 'a' } })
// @ts-expect-error unknown column inside OR
db.posts.filter({ OR: [{ titel: 'a' }] })
// @ts-expect-error unknown operator
db.posts.filter({ id: { greater: 1 } })
// @ts-expect-error the wrong type
db.posts.filter({ id: '1' })
// @ts-expect-error the wrong type in an operator
db.posts.filter({ id: { gte: '1' } })
// @ts-expect-error the wrong type in a list
db.posts.filter({ id: { in: ['1'] } })
// @ts-expect-error null cannot be compared
db.posts.filter({ editorId: { gt: null } })
// @ts-expect-error not a value of the enum
db.authors.filter({ role: 'admin' })
// @ts-expect-error JSON by value would read as operators
db.posts.filter({ meta: { readingMinutes: 3 } })
// @ts-expect-error not the type of the JSON
db.posts.filter({ meta: { eq: { minutes: 3 } } })
// @ts-expect-error a relation is no value
db.posts.filter({ author: 1 })
// @ts-expect-error AND is a list
db.posts.filter({ AND: { id: 1 } })
// @ts-expect-error text is no SQL
db.posts.filter({ RAW: 'true' })
// @ts-expect-error a filter is an object
db.posts.filter('id = 1')
// @ts-expect-error exclude takes the same
db.posts.exclude({ titel: 'a' })
// @ts-expect-error get takes the same
void db.posts.get({ titel: 'a' })
