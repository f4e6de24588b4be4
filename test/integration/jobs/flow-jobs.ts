import { defineJob, type Job } from '../../../src/jobs/index.ts'
import { createStatement, type Postgres } from '../../../src/postgres/index.ts'
import { anything } from '../../drivers/anything.ts'

/** Steps of the workflows of the tests. */
export const plusOne = defineJob('plus-one', { input: anything<number>() }, async (n) => n + 1)
export const sum = defineJob('sum', { input: anything<number[]>() }, async (numbers) =>
  numbers.reduce((a, b) => a + b, 0),
)
export const same = defineJob('same', { input: anything<number>() }, async (n) => n)
export const echo = defineJob('echo', { input: anything<unknown>() }, async (value) => value)

/** A step whose effect is a row for every run, and then `after`. */
export function effectOn(postgres: Postgres, after: () => unknown): Job<number, number> {
  return defineJob('effect', { input: anything<number>() }, async (n, { id }) => {
    await postgres.execute(createStatement('insert into effects (job) values ($1)', { tracked: true }), [id])
    await after()
    return n + 1
  })
}
