import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { compile, type Compilation } from './compile.ts'

const columns =
  '"author." | "authorId" | "body" | "editor." | "editorId" | "id" | "keywords" | "meta" | "publishedAt" | "title" | "titleLength"'

/** What people get wrong most, and what the compiler must say about it; the start of the message. */
const mistakes: readonly (readonly [behaviour: string, code: string, message: string])[] = [
  [
    'an unknown relation gets the list of relations',
    `db.posts.selectRelated('author', 'editr')`,
    `Argument of type '"editr"' is not assignable to parameter of type '"author" | "editor"'.`,
  ],
  [
    'an unknown second hop gets the relations of the first',
    `db.posts.selectRelated('author.compny')`,
    `Argument of type '"author.compny"' is not assignable to parameter of type '"author.company"'.`,
  ],
  [
    'selectRelated of a to-many relation is sent to prefetchRelated',
    `db.posts.selectRelated('tags')`,
    `Argument of type '"tags"' is not assignable to parameter of type '"'tags' is to-many: load it with prefetchRelated"'.`,
  ],
  [
    'only on a relation that is not joined is sent to selectRelated',
    `db.posts.only('title', 'author.name')`,
    `Argument of type '"author.name"' is not assignable to parameter of type '"'author' is not loaded: add selectRelated('author') before"'.`,
  ],
  [
    'an unknown column in values gets the columns at that hop',
    `db.posts.values('author.nam')`,
    `Argument of type '"author.nam"' is not assignable to parameter of type '"author.company." | "author.companyId" | "author.id" | "author.name" | "author.role" | "author.score"'.`,
  ],
  [
    'a relation where a column is wanted gets an example',
    `db.posts.orderBy('-author')`,
    `Argument of type '"-author"' is not assignable to parameter of type '"'-author' is a relation: name one of its columns, such as '-author.id'"'.`,
  ],
  [
    'an unknown order gets the columns',
    `db.posts.orderBy('ttle')`,
    `Argument of type '"ttle"' is not assignable to parameter of type '${columns}'.`,
  ],
  [
    'an unknown column in a filter gets the columns and a guess',
    `db.posts.filter({ titel: 'a' })`,
    `Object literal may only specify known properties, but 'titel' does not exist in type '{ readonly authorId?: ColumnFilter<number> | undefined; readonly body?: TextFilter<string> | undefined;`,
  ],
  [
    'an unknown operator gets a guess',
    `db.posts.filter({ title: { ilke: 'a' } })`,
    `Object literal may only specify known properties, but 'ilke' does not exist in type 'TextOperators<string>'. Did you mean to write 'ilike'?`,
  ],
  [
    'an unknown relation in prefetch gets the list of relations',
    `db.posts.prefetchRelated('tags', prefetch('comment', (comments) => comments.limit(3)))`,
    `Argument of type '"comment"' is not assignable to parameter of type '"author" | "comments" | "editor" | "tags"'.`,
  ],
  [
    'a property that was not loaded is not on the row, which is printed',
    `void (await db.posts.selectRelated('author').only('title', 'author.name').one()).author.role`,
    `Property 'role' does not exist on type '{ name: string; }'.`,
  ],
  [
    'a missing column of an insert is named',
    `void db.posts.create({ title: 'a' })`,
    `Property 'authorId' is missing in type '{ title: string; }' but required in type '{ authorId: number;`,
  ],
  [
    'a step that does not fit is told what the one before gives, what it takes, and what to do',
    `chain(count.step({ text: '' }), count.step())`,
    `Argument of type 'Flow<{ text: string; }, number>' is not assignable to parameter of type 'Flow<{ text: string; }, number> & Misfit<number, { text: string; }, "The step before gives the first, this step takes the second: give it an input of its own, or put a job between them">'.`,
  ],
  ['a workflow without an input is asked for it', `void jobs.start(count.step())`, `Expected 2 arguments, but got 1.`],
]

const prelude = [
  `import type { Db } from 'plimsoll/db/types.ts'`,
  `import type { PrefetchFunction } from 'plimsoll/db/types/prefetch.ts'`,
  `import { chain, type Job, type Jobs } from 'plimsoll/jobs/index.ts'`,
  `import type { relations } from './schema.ts'`,
  `declare const db: Db<typeof relations>`,
  `declare const prefetch: PrefetchFunction`,
  `declare const jobs: Jobs`,
  `declare const count: Job<{ text: string }, number>`,
  `void prefetch`,
]

let compiled: Compilation

beforeAll(async () => {
  const schema = await readFile(join(import.meta.dirname, '../../types/schema.ts'), 'utf8')
  compiled = await compile({
    'schema.ts': schema,
    'mistakes.ts': [...prelude, ...mistakes.map(([, code]) => code)].join('\n'),
  })
}, 120_000)

test.each(mistakes.map(([behaviour, , message], index) => ({ behaviour, message, line: prelude.length + index + 1 })))(
  '$behaviour',
  ({ message, line }) => {
    const said = compiled.errors.filter((error) => error.line === line).map((error) => error.message)
    expect(said).toHaveLength(1)
    expect(said[0]!.slice(0, message.length)).toBe(message)
  },
)

test('nothing else is wrong', () => {
  expect(compiled.errors).toHaveLength(mistakes.length)
})
