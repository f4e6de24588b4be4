import type { Schema } from '../../src/jobs/standard-schema.ts'

/**
 * A schema that takes everything as it is. The processes that tests start have this one, since to load a library for it takes a tenth of a
 * second of a processor in each of them.
 */
export const anything = <T>(): Schema<T> => ({
  '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value: value as T }) },
})
