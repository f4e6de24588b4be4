import type { WireValue } from '../core/wire.ts'
import { createStatement, type Executor, type Postgres, readTexts } from '../postgres/index.ts'
import { tableTags } from '../schema/index.ts'
import type { Model, ModelGraph } from '../schema/model.ts'
import { ensureOutboxTable } from './outbox-table.ts'
import { noteFunction, noteFunctionSql, tagValueSql, triggerEvents } from './trigger-sql.ts'

/** The key of the advisory lock of those who install; any number, the same for all of them. */
const triggersLock = 7_056_209_303

const installed = `select format('%s on %I.%I', t.tgname, n.nspname, c.relname)
  from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace
  join pg_proc p on p.oid = t.tgfoid join pg_namespace pn on pn.oid = p.pronamespace
  where not t.tgisinternal and pn.nspname = 'plimsoll'`
const functions = `select p.proname from pg_proc p join pg_namespace n on n.oid = p.pronamespace
  where n.nspname = 'plimsoll' and p.proname like 'note\\_%'`
const kindOfTable = `select c.relkind, format('%I.%I', n.nspname, c.relname)
  from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = $1::text::regclass`

/** What came of it: full names of tables. */
export interface InstalledTriggers {
  readonly tables: readonly string[]
  /** Models that have no triggers, because they are views or foreign tables. */
  readonly leftOut: readonly string[]
}

/**
 * Installs a trigger for each kind of write on every table of the models: it records the tags of what was written in the outbox, so
 * that writes which do not come through here end what was cached all the same. Tables that are no model's any more lose theirs.
 * Run again, it changes what has changed, and locks no table that has its triggers. The role has to own the tables.
 *
 * Views and foreign tables, which cannot tell what was written, are left out.
 *
 * @throws PLIMSOLL_OUTBOX_UNAVAILABLE, PLIMSOLL_STATEMENT_FAILED where a table is missing or is somebody else's
 */
export async function installTriggers(postgres: Postgres, graph: ModelGraph): Promise<InstalledTriggers> {
  await ensureOutboxTable(postgres)
  return postgres.transaction(
    async (transaction) => {
      await lock(transaction)
      await run(transaction, tagValueSql)
      const { models, leftOut } = await tablesOf(transaction, graph)
      const wanted = new Set([...models.values()].map((model) => noteFunction(tableTags(graph, model))))
      // First: a table whose tag is another one now has its old triggers in the way.
      for (const [name] of await rows(transaction, functions)) {
        if (!wanted.has(name!)) await run(transaction, `drop function plimsoll.${name} cascade`)
      }
      const before = new Set((await rows(transaction, installed)).map(([name]) => name))
      for (const [table, model] of models) {
        const tags = tableTags(graph, model)
        await run(transaction, noteFunctionSql(tags))
        for (const [event, referencing] of Object.entries(triggerEvents)) {
          if (before.has(`plimsoll_${event} on ${table}`)) continue
          const does = `for each statement execute function plimsoll.${noteFunction(tags)}()`
          await run(
            transaction,
            `create trigger plimsoll_${event} after ${event} on ${model.sql} ${referencing} ${does}`,
          )
        }
      }
      return { tables: [...models.keys()], leftOut }
    },
    { statementTimeout: 0 },
  )
}

/** The models by the full names of their tables, each table once; without what is a view or lies elsewhere. */
async function tablesOf(
  executor: Executor,
  graph: ModelGraph,
): Promise<{ readonly models: ReadonlyMap<string, Model>; readonly leftOut: readonly string[] }> {
  const models = new Map<string, Model>()
  const leftOut: string[] = []
  for (const model of graph.models.values()) {
    const [found] = await rows(executor, kindOfTable, [model.sql])
    const [kind, name] = found as [string, string]
    if (kind === 'r' || kind === 'p') models.set(name, model)
    else leftOut.push(name)
  }
  return { models, leftOut }
}

/** Removes the triggers of all tables, and what they call. */
export async function removeTriggers(postgres: Postgres): Promise<void> {
  await postgres.transaction(
    async (transaction) => {
      await lock(transaction)
      for (const [name] of await rows(transaction, functions)) {
        await run(transaction, `drop function plimsoll.${name} cascade`)
      }
      await run(transaction, 'drop function if exists plimsoll.tag_value(text)')
    },
    { statementTimeout: 0 },
  )
}

async function lock(executor: Executor): Promise<void> {
  await run(executor, `select pg_advisory_xact_lock(${triggersLock})`)
}

async function run(executor: Executor, text: string): Promise<void> {
  await rows(executor, text)
}

function rows(executor: Executor, text: string, values: readonly WireValue[] = []): Promise<(string | null)[][]> {
  return readTexts(executor, createStatement(text, { prepare: false, tracked: true }), values)
}
