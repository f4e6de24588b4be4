import { db, prefetch } from './fixture.ts'

declare const text: string

// @ts-expect-error unknown relation
db.posts.selectRelated('autor')
// @ts-expect-error the second of two is unknown
db.posts.selectRelated('author', 'editr')
// @ts-expect-error unknown second hop
db.posts.selectRelated('author.compny')
// @ts-expect-error unknown first hop
db.posts.selectRelated('autor.company')
// @ts-expect-error to-many
db.posts.selectRelated('tags')
// @ts-expect-error through to-many
db.posts.selectRelated('author.posts.author')
// @ts-expect-error a column
db.posts.selectRelated('title')
// @ts-expect-error no relations at all
db.postTags.selectRelated('post')
// @ts-expect-error an unfinished path
db.posts.selectRelated('author.')
// @ts-expect-error an empty path
db.posts.selectRelated('')
// @ts-expect-error any text
db.posts.selectRelated(text)

// @ts-expect-error unknown relation
db.posts.prefetchRelated('tgs')
// @ts-expect-error unknown second hop
db.posts.prefetchRelated('tags.post')
// @ts-expect-error a column
db.posts.prefetchRelated('title')
// @ts-expect-error no relations at all
db.postTags.prefetchRelated('post')
// @ts-expect-error any text
db.posts.prefetchRelated(text)
// @ts-expect-error nothing to load
db.posts.prefetchRelated()

// @ts-expect-error unknown relation
db.posts.prefetchRelated(prefetch('comment', (rows) => rows.limit(3)))
// @ts-expect-error a relation of another model
db.posts.prefetchRelated(prefetch('replies', (rows) => rows))
// @ts-expect-error unknown column of the target
db.posts.prefetchRelated(prefetch('comments', (rows) => rows.filter({ aproved: true })))
// @ts-expect-error a column of another model than the target
db.posts.prefetchRelated(prefetch('comments', (rows) => rows.only('title')))
// @ts-expect-error rows of another model
db.posts.prefetchRelated(prefetch('comments', () => db.tags.limit(3)))
// @ts-expect-error flat rows
db.posts.prefetchRelated(prefetch('comments', (rows) => rows.values('body')))
// @ts-expect-error a single row
db.posts.prefetchRelated(prefetch('comments', (rows) => rows.first()))
// @ts-expect-error not a name
db.posts.prefetchRelated(prefetch('comments', (rows) => rows, { as: 3 }))
// @ts-expect-error unknown option
db.posts.prefetchRelated(prefetch('comments', (rows) => rows, { name: 'latest' }))
db.posts.prefetchRelated(
  // @ts-expect-error unknown relation, one level down
  prefetch('comments', (rows) => rows.prefetchRelated(prefetch('answers', (answers) => answers))),
)
// Outside prefetchRelated nothing says what model it is for.
const loose = prefetch('comments', (rows) => rows)
// @ts-expect-error so it belongs to none
db.posts.prefetchRelated(loose)

// @ts-expect-error unknown column
db.posts.only('titel')
// @ts-expect-error not joined
db.posts.only('author.name')
// @ts-expect-error joined, but not that far
db.posts.selectRelated('author').only('author.company.name')
// @ts-expect-error unknown column of a joined relation
db.posts.selectRelated('author').only('author.nam')
// @ts-expect-error prefetched relations are narrowed by prefetch
db.posts.prefetchRelated('tags').only('tags.label')
// @ts-expect-error a relation, not a column
db.posts.selectRelated('author').only('author')
// @ts-expect-error any text
db.posts.only(text)
// @ts-expect-error unknown column
db.posts.defer('titel')
// @ts-expect-error not joined
db.posts.defer('author.name')
// @ts-expect-error unknown column of a joined relation
db.posts.selectRelated('author').defer('author.nam')

// @ts-expect-error unknown column
db.posts.values('titel')
// @ts-expect-error unknown column at the end
db.posts.values('title', 'author.nam')
// @ts-expect-error a relation, not a column
db.posts.values('author')
// @ts-expect-error to-many
db.posts.values('tags.label')
// @ts-expect-error any text
db.posts.values(text)
// @ts-expect-error unknown column
db.posts.valuesList('titel')
// @ts-expect-error unknown column at the end
db.posts.valuesList('title', 'author.nam')

// @ts-expect-error unknown model
void db.pots
