import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, inject, onTestFinished, test } from 'vitest'
import { openPostgres } from '../../../src/postgres/index.ts'
import { valueOf } from '../../drivers/door.ts'
import { createDatabase } from '../../servers/database.ts'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const main = join(root, 'src/cli/main.ts')
const run = promisify(execFile)

const schema = `
import { defineRelations } from 'drizzle-orm'
import { integer, pgTable, text } from 'drizzle-orm/pg-core'
export const notes = pgTable('notes', { id: integer().primaryKey(), text: text().unique() })
export const relations = defineRelations({ notes }, () => ({}))
`

/** A project with a schema and one migration, inside the checkout so that it finds its packages. */
function project(): string {
  mkdirSync(join(root, '.plimsoll'), { recursive: true })
  const folder = mkdtempSync(join(root, '.plimsoll/cli-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  writeFileSync(join(folder, 'schema.ts'), schema)
  const migration = join(folder, 'migrations/20260101000000_notes')
  mkdirSync(migration, { recursive: true })
  writeFileSync(join(migration, 'migration.sql'), 'create table notes (id int primary key, text text unique);')
  writeFileSync(join(migration, 'snapshot.json'), '{}')
  return folder
}

interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

async function plimsoll(cwd: string, args: readonly string[], databaseUrl: string): Promise<Ended> {
  const env = { ...process.env, DATABASE_URL: databaseUrl, NO_COLOR: '1' }
  return run(process.execPath, [main, ...args], { cwd, env, timeout: 60_000 }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: Ended) => error,
  )
}

describe('plimsoll migrate', () => {
  test('migrates an embedded database, and says what it did', async () => {
    const folder = project()
    expect(await plimsoll(folder, ['migrate'], '')).toMatchObject({
      code: 0,
      stdout: 'The database has every migration in migrations.\nThe tables of the outbox and of jobs are there.\n',
    })
    await using door = await openPostgres({ url: `pglite:${join(folder, '.plimsoll/db')}` })
    expect(await valueOf(door, 'select count(*) from notes')).toBe('0')
    expect(await valueOf(door, 'select count(*) from plimsoll.outbox')).toBe('0')
  })

  test.runIf(inject('postgresUrl'))('installs triggers on a server, and removes them', async () => {
    const folder = project()
    const database = await createDatabase()
    onTestFinished(() => database.drop())
    const installed = await plimsoll(folder, ['migrate', '--triggers'], database.url)
    expect(installed).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('Triggers record the writes to public.notes.'),
    })
    {
      await using door = await openPostgres({ url: database.url })
      await valueOf(door, `insert into notes values (7, 'seven') returning id`)
      expect(await valueOf(door, 'select array_to_string(items, $1) from plimsoll.outbox', [' '])).toBe(
        'notes notes.text=seven notes:7',
      )
    }
    const removed = await plimsoll(folder, ['migrate', '--no-triggers'], database.url)
    expect(removed).toMatchObject({ code: 0, stdout: expect.stringContaining('No table has triggers of Plimsoll.') })
    await using door = await openPostgres({ url: database.url })
    expect(await valueOf(door, `select count(*) from pg_trigger where tgname like 'plimsoll%'`)).toBe('0')
  })

  test('says what is wrong, and how to go on', async () => {
    const folder = project()
    const cases: readonly (readonly [readonly string[], string])[] = [
      [['migrate', '--schema', 'nowhere.ts'], "There is no file 'nowhere.ts'; give one with --schema."],
      [['migrate', '--folder', 'nowhere'], "There is no folder 'nowhere'; give one with --folder."],
      [['migrate', '--trigger'], '--triggers'],
      [['migrat'], "There is no command 'migrat'."],
    ]
    for (const [args, message] of cases) {
      const ended = await plimsoll(folder, args, '')
      expect(ended.code).toBe(1)
      expect(ended.stderr).toContain(message)
    }
    expect(await plimsoll(folder, ['migrate', '--help'], '')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('--no-triggers'),
    })
  })
})
