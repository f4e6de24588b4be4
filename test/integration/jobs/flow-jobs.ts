import { defineJob, type Job, type Schema } from '../../../src/jobs/index.ts'
import { createStatement, type Postgres } from '../../../src/postgres/index.ts'

const of = <T>(): Schema<T> => ({
  '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value: value as T }) },
})

/** Steps of the workflows of the tests. */
export const plusOne = defineJob('plus-one', { input: of<number>() }, async (n) => n + 1)
export const sum = defineJob('sum', { input: of<number[]>() }, async (numbers) => numbers.reduce((a, b) => a + b, 0))
export const same = defineJob('same', { input: of<number>() }, async (n) => n)
export const echo = defineJob('echo', { input: of<unknown>() }, async (value) => value)

/** A step whose effect is a row for every run, and then `after`. */
export function effectOn(postgres: Postgres, after: () => unknown): Job<number, number> {
  return defineJob('effect', { input: of<number>() }, async (n, { id }) => {
    await postgres.execute(createStatement('insert into effects (job) values ($1)', { tracked: true }), [id])
    await after()
    return n + 1
  })
}
