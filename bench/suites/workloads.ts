import type { Contestant } from '../contestants/contestant.ts'
import type { Product } from '../harness/protocol.ts'

/** One row of the results: an operation, how it is asked for and what it ends in. */
export interface Workload {
  /** For example `W1-c32`, `W2-rows-c32`, `W3-http`. */
  readonly name: string
  readonly operation: Exclude<keyof Contestant, 'close'>
  readonly title: string
  readonly product: Product
  readonly over: 'process' | 'http'
  readonly concurrency: number
  /** Part of `--quick`. */
  readonly quick: boolean
}

const operations: readonly (readonly [string, Workload['operation'], string])[] = [
  ['W1', 'postById', 'a post by id with author and category'],
  ['W2', 'newestPosts', 'the 50 newest published posts with author and category, six columns'],
  ['W3', 'newestTrees', 'the 20 newest posts with author, tags, and comments each with its author'],
  ['W4-first', 'firstPage', 'the first page of 20'],
  ['W4-keyset', 'pageAfterAnchor', 'the page of 20 after 50,000 rows, by keyset'],
  ['W4-offset', 'pageAtOffset', 'the page of 20 after 50,000 rows, by offset'],
]

const modes: readonly (readonly [string, Product, Workload['over'], number])[] = [
  ['c1', 'json', 'process', 1],
  ['c32', 'json', 'process', 32],
  ['rows-c32', 'rows', 'process', 32],
  ['http', 'json', 'http', 32],
]

/** Every workload, in the order of the tables. W4 ends in JSON only: its rows are those of W2. */
export const workloads: readonly Workload[] = operations.flatMap(([prefix, operation, title]) =>
  modes
    .filter(([mode]) => !(prefix.startsWith('W4') && mode === 'rows-c32'))
    .map(([mode, product, over, concurrency]) => ({
      name: `${prefix}-${mode}`,
      operation,
      title,
      product,
      over,
      concurrency,
      quick: !prefix.startsWith('W4') || mode === 'c1',
    })),
)
