import { observe } from '../../src/core/events.ts'
import type { WireValue } from '../../src/core/wire.ts'
import {
  createStatement,
  openPostgres,
  type CommandResult,
  type ExecuteOptions,
  type Executor,
  type Postgres,
  type PostgresOptions,
  type Statement,
} from '../../src/postgres/index.ts'

/** What an engine may be unable to do; a case that needs it is skipped there, with the reason printed. */
export type DoorFeature = 'cancellation' | 'many sessions' | 'listen' | 'own sessions'

/** An engine behind the door, with a database of the tests' own. */
export interface DoorEngine {
  readonly name: string
  /** Why it cannot do something. */
  readonly lacks: Readonly<Partial<Record<DoorFeature, string>>>
  readonly url: string
}

/** One promise of the contract, run against every engine. */
export interface DoorCase {
  readonly name: string
  readonly needs?: readonly DoorFeature[]
  run(engine: DoorEngine): Promise<void>
}

/** Opens the door to an engine, or to a URL; use with `await using`. */
export function openDoor(engine: DoorEngine, options: Partial<PostgresOptions> = {}): Promise<Postgres> {
  return openPostgres({ url: engine.url, ...options })
}

/** A row as texts, in the order of its columns. */
export type TextRow = readonly (string | null)[]

/** Reads a DataRow body; written again here, so that the tests do not trust the decoders they stand under. */
export function readTexts(chunk: Buffer, start: number, end: number): TextRow {
  const row: (string | null)[] = []
  let at = start + 2
  for (let column = chunk.readInt16BE(start); column > 0; column--) {
    const length = chunk.readInt32BE(at)
    at += 4
    row.push(length < 0 ? null : chunk.toString('utf8', at, at + length))
    at += Math.max(length, 0)
  }
  if (at !== end) throw new Error(`The row ends at ${at} and its message at ${end}.`)
  return row
}

/** Runs a statement, prepared by name, and collects its rows. */
export async function rowsOf(
  executor: Executor,
  text: string,
  values: readonly WireValue[] = [],
  options?: ExecuteOptions,
): Promise<TextRow[]> {
  const rows: TextRow[] = []
  await executor.execute(
    createStatement(text, { readOnly: text.startsWith('select') }),
    values,
    (chunk, start, end) => void rows.push(readTexts(chunk, start, end)),
    options,
  )
  return rows
}

/** The first column of the first row. */
export async function valueOf(
  executor: Executor,
  text: string,
  values: readonly WireValue[] = [],
  options?: ExecuteOptions,
): Promise<string | null | undefined> {
  return (await rowsOf(executor, text, values, options))[0]?.[0]
}

/** Runs a statement without a name, for DDL and the like. */
export async function run(executor: Executor, text: string, values: readonly WireValue[] = []): Promise<number> {
  return (await executor.execute(createStatement(text, { prepare: false }), values)).rowCount
}

/** A table of its own; its name. */
export async function createTable(executor: Executor, columns: string): Promise<string> {
  const name = `t_${Math.random().toString(36).slice(2, 12)}`
  await run(executor, `create table ${name} (${columns})`)
  return name
}

/** The column `n` of a table, in order. */
export async function numbersIn(executor: Executor, table: string): Promise<number[]> {
  return (await rowsOf(executor, `select n from ${table} order by n`)).map(([n]) => Number(n))
}

/** Runs `work`, and resolves with the texts of the statements that were answered meanwhile. */
export async function statementsOf(work: () => Promise<unknown>): Promise<string[]> {
  const texts: string[] = []
  const stop = observe((event) => {
    if (event.type === 'statement') texts.push(event.text)
  })
  try {
    await work()
  } finally {
    stop()
  }
  return texts
}

/** The door as it is to somebody whose statements go by way of `between`: it decides what is executed, and what is heard of it. */
export function intercepted(
  postgres: Postgres,
  between: (statement: Statement, execute: () => Promise<CommandResult>) => Promise<CommandResult>,
): Postgres {
  const execute: Postgres['execute'] = (statement, ...rest) =>
    between(statement, () => postgres.execute(statement, ...rest))
  return new Proxy(postgres, {
    get: (_, name) => {
      if (name === 'execute') return execute
      const value: unknown = Reflect.get(postgres, name, postgres)
      return typeof value === 'function' ? value.bind(postgres) : value
    },
  })
}
