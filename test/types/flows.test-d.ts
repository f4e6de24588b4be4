import {
  chain,
  chord,
  group,
  mapChunks,
  type FlowHandle,
  type Flow,
  type Job,
  type Jobs,
} from '../../src/jobs/index.ts'
import { expectType } from './expect-type.ts'
import { db } from './fixture.ts'

declare const jobs: Jobs
declare const fetchPage: Job<{ url: string }, { html: string }>
declare const countWords: Job<{ html: string }, number>
declare const add: Job<number[], number>
declare const remind: Job<{ ids: number[] }, string>

// a step takes its job's input, or has it
expectType<Flow<{ url: string }, { html: string }>>()(fetchPage.step(), true)
expectType<Flow<unknown, { html: string }>>()(fetchPage.step({ url: '/' }), true)
// @ts-expect-error a number is no url
fetchPage.step({ url: 1 })

// in a chain each takes what the one before gives
expectType<Flow<{ url: string }, number>>()(chain(fetchPage.step(), countWords.step()), true)
expectType<Flow<unknown, number>>()(chain(fetchPage.step({ url: '/' }), countWords.step()), true)
expectType<Flow<unknown, number>>()(chain(add.step([1]), countWords.step({ html: '' })), true)
// @ts-expect-error countWords gives a number
chain(fetchPage.step(), countWords.step(), fetchPage.step())
// @ts-expect-error also behind a group
chain(group(countWords.step(), countWords.step()), countWords.step())

// a group gives what its parts give, in order, and takes what all of them take
expectType<Flow<unknown, [{ html: string }, number]>>()(group(fetchPage.step({ url: '/' }), add.step([1])), true)
expectType<Flow<{ url: string } & { html: string }, [{ html: string }, number]>>()(
  group(fetchPage.step(), countWords.step()),
  true,
)
expectType<Flow<unknown, number[]>>()(group(...['a', 'b'].map((html) => countWords.step({ html }))), true)
expectType<Flow<{ html: string }, number>>()(chain(group(countWords.step(), countWords.step()), add.step()), true)

// a chord is a group, then what takes all of it
expectType<Flow<unknown, number>>()(chord(group(add.step([1]), add.step([2])), add.step()), true)
// @ts-expect-error the group gives numbers
chord(group(add.step([1]), add.step([2])), countWords.step())
// @ts-expect-error a job is no group
chord(add.step([1]), add.step())

// rows in chunks go to a job that takes them, or are made into what it takes
expectType<Flow<unknown, number[]>>()(mapChunks([1, 2, 3], { job: add }), true)
expectType<Flow<unknown, string[]>>()(
  mapChunks(db.posts.only('id'), { job: remind, input: (posts) => ({ ids: posts.map(({ id }) => id) }) }),
  true,
)
// @ts-expect-error remind takes no rows
mapChunks(db.posts.only('id'), { job: remind })
// @ts-expect-error add takes numbers
mapChunks(['a'], { job: add })

// what has its input is started without one, anything else with it
expectType<FlowHandle<number>>()(await jobs.start(chain(add.step([1]), countWords.step({ html: '' }))), true)
expectType<FlowHandle<number>>()(await jobs.start(add.step(), { input: [1] }), true)
// @ts-expect-error add takes numbers
await jobs.start(add.step(), { input: ['1'] })
// @ts-expect-error add has no input
await jobs.start(add.step())
