import { isPlimsollError, PlimsollError } from '../core/errors.ts'
import { createStatement, readTexts, type Executor, type Postgres } from '../postgres/index.ts'

/** Tables of ours that belong together. */
export interface TableSet {
  /** Statements with `if not exists`, each ended by a semicolon but the last one. */
  readonly script: string
  /** The table, in the schema `plimsoll`, that is made last. */
  readonly last: string
  /** A column that this table was given later: tables without it are of an older version, and the script adds it. */
  readonly column?: string
  /** The key of the advisory lock that processes take to make them; any number, the same for all of them. */
  readonly lock: number
}

/**
 * Makes tables of the jobs when they are missing, or lack a column; of several processes that start at once, one does.
 *
 * @throws PLIMSOLL_JOBS_UNAVAILABLE when the role may not make them
 */
export async function ensureTables(postgres: Postgres, { script, last, column, lock }: TableSet): Promise<void> {
  const isThere =
    column === undefined
      ? 'c.oid is not null'
      : `exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = '${column}' and not a.attisdropped)`
  const look =
    own(`select coalesce(has_schema_privilege(n.oid, 'usage'), false), ${isThere}, current_user, current_database()
    from (values (1)) one
    left join pg_namespace n on n.nspname = 'plimsoll'
    left join pg_class c on c.relnamespace = n.oid and c.relname = '${last}'`)
  const [[usable, there, role, database]] = (await readTexts(postgres, look)) as [string[]]
  if (usable === 't' && there === 't') return
  try {
    await postgres.transaction(
      async (transaction) => {
        await run(transaction, `select pg_advisory_xact_lock(${lock})`)
        // The role may use a schema that it may not create.
        const [[, made]] = (await readTexts(transaction, look)) as [string[]]
        if (made === 't') return
        for (const statement of script.split(';')) await run(transaction, statement)
      },
      { statementTimeout: 0 },
    )
  } catch (error) {
    if (!isPlimsollError(error) || error.details.sqlState !== '42501') throw error
    throw new PlimsollError(
      'PLIMSOLL_JOBS_UNAVAILABLE',
      `The tables of the jobs are missing or of an older version, and the role "${role}" may not create or alter them in "${database}". Run 'plimsoll migrate' as a role that may, or: grant create on database "${database}" to "${role}"`,
      { cause: error, details: { role, database } },
    )
  }
}

function own(text: string): ReturnType<typeof createStatement> {
  return createStatement(text, { prepare: false, tracked: true })
}

async function run(executor: Executor, text: string): Promise<void> {
  await executor.execute(own(text), [])
}
