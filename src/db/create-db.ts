import { PlimsollError } from '../core/errors.ts'
import type { Postgres, Transaction, TransactionOptions } from '../postgres/index.ts'
import { buildModelGraph } from '../schema/index.ts'
import type { ModelGraph } from '../schema/model.ts'
import type { DbContext } from './context.ts'
import type { QueryCache, WriteTracker } from './contract.ts'
import { DynamicModelSet } from './model-set.ts'
import { minSecretLength } from './page/cursor.ts'
import { ShapeTree } from './shape.ts'
import { openDrizzle, type RunTransaction } from './open-drizzle.ts'
import type { Db, Tx } from './types.ts'
import type { Models } from './types/model.ts'

export interface DbOptions<S extends Models> {
  /** What Drizzle's `defineRelations` returns. */
  readonly relations: S
  /** The models; default: built from `relations`. */
  readonly graph?: ModelGraph
  /** The open door to PostgreSQL; see `openPostgres`. */
  readonly postgres: Postgres
  /** Signs the cursors of pages: at least 16 characters, the same in every process that serves them, and known to nobody else. */
  readonly secret: string
  /** How many shapes of querysets, and plans of them, are kept. Default 10,000; beyond it all are planned anew. */
  readonly maxShapes?: number
  /** Where the answers of `cached` querysets are kept. Default: nowhere, and `cached` is refused. */
  readonly cache?: QueryCache | undefined
  /** Who is told of the tags of everything that querysets write. Default: nobody. */
  readonly writes?: WriteTracker | undefined
}

/**
 * The database as querysets: one property per model of the schema, and `transaction` and `drizzle`.
 *
 * @throws PLIMSOLL_SCHEMA_INVALID, PLIMSOLL_OPTION_INVALID for a secret that can be guessed.
 * @example
 * const db = createDb({ relations, postgres: await openPostgres({ url }), secret })
 * const newest = await db.posts.filter({ status: 'published' }).selectRelated('author').orderBy('-publishedAt').limit(10)
 */
export function createDb<S extends Models>({
  relations,
  postgres,
  secret,
  maxShapes = 10_000,
  ...options
}: DbOptions<S>): Db<S> {
  if (secret.length < minSecretLength) {
    throw new PlimsollError(
      'PLIMSOLL_OPTION_INVALID',
      `The option 'secret' has ${secret.length} characters, and whoever guesses it can make cursors; give it at least ${minSecretLength}.`,
      { details: { option: 'secret', minimum: minSecretLength } },
    )
  }
  const graph = options.graph ?? buildModelGraph(relations)
  const { cache, writes } = options
  const tree = new ShapeTree(graph, maxShapes)
  const context: DbContext = { graph, tree, executor: postgres, door: postgres, secret, cache, writes }
  const db = {
    drizzle: openDrizzle(postgres.client, { relations, run: (work, choices) => postgres.transaction(work, choices) }),
    transaction: <T>(work: (tx: Tx<S>) => Promise<T>, choices?: TransactionOptions): Promise<T> =>
      postgres.transaction((transaction) => work(openTx<S>(context, relations, transaction)), choices),
    ...modelSets(context),
  }
  return Object.freeze(db) as unknown as Db<S>
}

/** The same models inside one transaction. */
function openTx<S extends Models>(context: DbContext, relations: S, transaction: Transaction): Tx<S> {
  let inside: unknown
  const tx = {
    get drizzle() {
      const run: RunTransaction = (work, choices) => transaction.transaction(work, choices)
      return (inside ??= openDrizzle(transaction.client, { relations, run }))
    },
    transaction: <T>(work: (savepoint: Tx<S>) => Promise<T>): Promise<T> =>
      transaction.transaction((savepoint) => work(openTx<S>(context, relations, savepoint))),
    afterCommit: (hook: () => void | Promise<void>): void => transaction.afterCommit(hook),
  }
  return Object.freeze(
    Object.defineProperties(
      modelSets({ ...context, executor: transaction, door: transaction, transaction }),
      Object.getOwnPropertyDescriptors(tx),
    ),
  ) as unknown as Tx<S>
}

function modelSets(context: DbContext): Record<string, DynamicModelSet> {
  return Object.fromEntries(
    [...context.graph.models.keys()].map((key) => [key, new DynamicModelSet(context, context.tree.rootOf(key), [])]),
  )
}
