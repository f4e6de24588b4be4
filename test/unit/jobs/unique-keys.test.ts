import { expect, test } from 'vitest'
import { z } from 'zod'
import { defineJob } from '../../../src/jobs/define-job.ts'
import { prepareJob } from '../../../src/jobs/enqueuer.ts'
import type { NewJob } from '../../../src/jobs/contract.ts'
import { anything } from '../../drivers/anything.ts'

/** A job that is unique by its whole input. */
const whole = defineJob('whole', { input: anything<unknown>(), unique: {} }, () => {})

const prepare = (input: unknown, job: unknown = whole): Promise<NewJob> => prepareJob(job as never, input)
const keyOf = async (input: unknown, job?: unknown): Promise<string> => (await prepare(input, job)).unique!.key

test('the whole input is one key, in whatever order its own keys were written', async () => {
  const one = { id: 1, mode: 'fast', parts: [{ from: 0, to: { x: 1, y: 2 } }] }
  const other = { parts: [{ to: { y: 2, x: 1 }, from: 0 }], mode: 'fast', id: 1 }
  expect(await keyOf(other)).toBe(await keyOf(one))
  expect(await keyOf({ ...one, none: undefined })).toBe(await keyOf(one))
  const long = 'x'.repeat(500)
  expect(await keyOf({ b: 1, a: long })).toBe(await keyOf({ a: long, b: 1 }))
})

test.each([
  [{ a: 1 }, { a: '1' }],
  [
    [1, 2],
    [2, 1],
  ],
  [{ a: null }, {}],
  [
    { a: 1, b: 2 },
    { a: 2, b: 1 },
  ],
  [[], {}],
  [JSON.parse('{"__proto__":1}'), {}],
  [{ toJSON: 1 }, {}],
])('%j and %j are two', async (one, other) => {
  expect(await keyOf(one)).not.toBe(await keyOf(other))
})

test('what is stored is what was given, in its order', async () => {
  expect((await prepare({ b: 1, a: 2 })).input).toBe('{"b":1,"a":2}')
})

test('what a schema makes of an input is no part of the key', async () => {
  const input = z.object({ id: z.number(), mode: z.string().default('fast') })
  const defaulted = defineJob('defaulted', { input, unique: {} }, () => {})
  expect(await keyOf({ id: 1 }, defaulted)).not.toBe(await keyOf({ id: 1, mode: 'fast' }, defaulted))
  // Both of these would have one key, and the second job would be lost.
  const tags = z.object({ tags: z.array(z.string()).transform((all) => new Set(all)) })
  const transformed = defineJob('transformed', { input: tags, unique: {} }, () => {})
  expect(await keyOf({ tags: ['a'] }, transformed)).not.toBe(await keyOf({ tags: ['b'] }, transformed))
  const filled = z.object({ mode: z.string().default('fast') })
  const job = defineJob('filled', { input: filled, unique: { key: (given) => filled.parse(given).mode } }, () => {})
  expect(await keyOf({}, job)).toBe(await keyOf({ mode: 'fast' }, job))
})
