import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { openPostgres } from '../../src/postgres/index.ts'
import { createDatabase, type Database } from '../servers/database.ts'
import { hasPgBouncer, startPgBouncer, type Pooler } from '../servers/pgbouncer.ts'
import { copyPgliteTemplate } from '../servers/pglite-template.ts'
import { hookCases } from './door-hooks.ts'
import { statementCases } from './door-statements.ts'
import { savepointCases } from './door-savepoints.ts'
import { transactionCases } from './door-transactions.ts'
import { limitCases } from './door-limits.ts'
import { watchingCases } from './door-watching.ts'
import { openDoor, valueOf, type DoorCase, type DoorEngine } from './door.ts'

const cases = {
  statements: statementCases,
  transactions: transactionCases,
  savepoints: savepointCases,
  limits: limitCases,
  hooks: hookCases,
  watching: watchingCases,
}

/** Declares every case on one engine; what an engine lacks is skipped with its reason in the name. */
function conform(engine: () => DoorEngine, lacks: DoorEngine['lacks']): void {
  describe.each(Object.entries(cases))('%s', (_, list: readonly DoorCase[]) => {
    for (const { name, needs = [], run } of list) {
      const reason = needs.map((feature) => lacks[feature]).find((lack) => lack !== undefined)
      test.skipIf(reason !== undefined)(reason === undefined ? name : `${name} (${reason})`, () => run(engine()))
    }
  })
}

describe('the door to PGlite', () => {
  const lacks = {
    cancellation: 'PGlite runs a statement to its end, in the thread that would have to cancel it',
    'many sessions': 'PGlite has one session',
  }
  // In a folder, which opens faster than a new database in memory.
  const folder = mkdtempSync(join(tmpdir(), 'plimsoll-door-'))
  beforeAll(() => copyPgliteTemplate(join(folder, 'db')))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  conform(() => ({ name: 'PGlite', lacks, url: `pglite:${folder}/db` }), lacks)
})

describe.runIf(inject('postgresUrl'))('the door to PostgreSQL', () => {
  let database: Database
  beforeAll(async () => {
    database = await createDatabase()
  })
  afterAll(() => database.drop())
  conform(() => ({ name: 'PostgreSQL', lacks: {}, url: database.url }), {})
})

describe.runIf(inject('postgresUrl') && hasPgBouncer())('the door to PostgreSQL behind PgBouncer', () => {
  let database: Database
  let pooler: Pooler
  beforeAll(async () => {
    database = await createDatabase()
    pooler = await startPgBouncer(database.url)
  })
  afterAll(async () => {
    await pooler.stop()
    await database.drop()
  })
  const lacks = {
    listen: 'a transaction pooler keeps no session to listen on',
    'own sessions': 'a transaction pooler gives every statement another session',
  }
  const engine = (): DoorEngine => ({ name: 'PgBouncer', lacks, url: pooler.url })

  conform(engine, lacks)

  test('is found out by itself when names clash, whatever was in flight', async () => {
    await using door = await openDoor(engine(), { sharedConnections: 8 })
    for (let round = 0; round < 10; round++) {
      const answers = await Promise.all(
        Array.from({ length: 60 }, (_, n) => valueOf(door, `select $1::int + ${n % 7}`, [n])),
      )
      expect(answers).toEqual(Array.from({ length: 60 }, (_, n) => String(n + (n % 7))))
    }
  })

  test('can be told of by the URL', async () => {
    await using door = await openPostgres({ url: `${pooler.url}?pgbouncer=true` })
    expect(await valueOf(door, 'select count(*) from pg_prepared_statements')).toBe('0')
  })

  test('refuses to listen, and says what to do', async () => {
    await using door = await openDoor(engine())
    await expect(door.listen('c', () => {})).rejects.toMatchObject({
      code: 'PLIMSOLL_FEATURE_UNSUPPORTED',
      message: expect.stringContaining('give the URL of the server itself'),
    })
  })
})
