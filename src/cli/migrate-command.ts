import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { openMigration } from '../app/open-migration.ts'
import { PlimsollError } from '../core/errors.ts'
import type { Models } from '../db/types/model.ts'

/** What `plimsoll migrate --help` prints. */
export const migrateHelp = `Usage: plimsoll migrate [--schema FILE] [--folder FOLDER] [--triggers | --no-triggers]

Runs those of drizzle-kit's migrations that the database at DATABASE_URL has not had yet, and makes the tables of the outbox and of jobs.

  --schema FILE      the module that exports 'relations', what defineRelations returns (default ./schema.ts)
  --folder FOLDER    the migrations (default ./migrations, where there is such a folder)
  --triggers         installs triggers on every table, so that writes which do not come through Plimsoll end what was
                     cached; processes that are running notice when they start again
  --no-triggers      removes them`

/** `plimsoll migrate`; `say` is given a line for each thing that was done. */
export async function migrateCommand(args: readonly string[], say: (line: string) => void): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    allowNegative: true,
    options: {
      schema: { type: 'string', default: './schema.ts' },
      folder: { type: 'string' },
      triggers: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  })
  if (values.help === true) return say(migrateHelp)
  const relations = await importRelations(values.schema)
  const folder = values.folder ?? (existsSync('migrations') ? 'migrations' : undefined)
  if (folder !== undefined && !existsSync(folder)) throw invalid('folder', `There is no folder '${folder}'`)
  await using migration = await openMigration(relations, (line) => console.error(line))
  if (folder !== undefined) {
    await migration.migrate(folder)
    say(`The database has every migration in ${folder}.`)
  }
  await migration.prepareTables()
  say('The tables of the outbox and of jobs are there.')
  if (values.triggers === true) {
    const { tables, leftOut } = await migration.installTriggers()
    say(`Triggers record the writes to ${tables.join(', ')}.`)
    if (leftOut.length > 0) say(`Views and foreign tables can have none: ${leftOut.join(', ')}.`)
  } else if (values.triggers === false) {
    await migration.removeTriggers()
    say('No table has triggers of Plimsoll.')
  }
}

async function importRelations(file: string): Promise<Models> {
  if (!existsSync(file)) throw invalid('schema', `There is no file '${file}'`)
  const module = (await import(pathToFileURL(resolve(file)).href)) as { readonly relations?: Models }
  if (module.relations !== undefined) return module.relations
  throw invalid('schema', `'${file}' does not export 'relations', what defineRelations returns`)
}

function invalid(option: string, problem: string): PlimsollError {
  return new PlimsollError('PLIMSOLL_OPTION_INVALID', `${problem}; give one with --${option}.`, { details: { option } })
}
