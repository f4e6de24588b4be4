import { mkdtemp, readFile, rm, stat, writeFile, mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Fastify from 'fastify'
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { createApp, type App } from '../../../src/app/index.ts'
import { createDb } from '../../../src/db/index.ts'
import { plimsoll, registerResource } from '../../../src/http/index.ts'
import { openPostgres } from '../../../src/postgres/index.ts'
import { createDatabase } from '../../servers/database.ts'
import { engines, relations, type Shop } from './shop.ts'

const migration = `create table makers (id int primary key, name text not null, country text);
--> statement-breakpoint
insert into makers values (1, 'One', null), (2, 'Two', 'SE');`

let folder: string
let opened: App<typeof relations>[]
const before = process.cwd()

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'plimsoll-app-'))
  process.chdir(folder)
  opened = []
  await mkdir('migrations/20260101000000_makers', { recursive: true })
  await writeFile('migrations/20260101000000_makers/migration.sql', migration)
})

afterEach(async () => {
  vi.unstubAllEnvs()
  for (const app of opened) await app.close()
  process.chdir(before)
  await rm(folder, { recursive: true })
})

async function open(options: Partial<Parameters<typeof createApp<typeof relations>>[0]> = {}): Promise<Shop> {
  const app = await createApp({ relations, databaseUrl: 'pglite:memory', ...options })
  opened.push(app)
  return app
}

describe('createApp', () => {
  test('with nothing set keeps its data in PGlite and its secret in a file of the owner only', async () => {
    vi.stubEnv('DATABASE_URL', '')
    const app = await open({ databaseUrl: undefined, migrate: { folder: 'migrations' } })
    expect(await app.db.makers.count()).toBe(2)
    expect((await stat('.plimsoll/secret')).mode & 0o777).toBe(0o600)
    const secret = await readFile('.plimsoll/secret', 'utf8')
    await app.close()
    const again = await open({ databaseUrl: undefined, migrate: { folder: 'migrations' } })
    expect(await again.db.makers.count()).toBe(2)
    expect(await readFile('.plimsoll/secret', 'utf8')).toBe(secret)
  })

  test('signs cursors with the secret of the environment, which every process shares', async () => {
    vi.stubEnv('PLIMSOLL_SECRET', 'a secret for tests')
    const cursorOf = async (): Promise<string> => {
      const app = await open({ migrate: { folder: 'migrations' } })
      app.resource('/makers', app.db.makers, { fields: ['id'] })
      return (await app.fastify.inject('/makers?size=1')).json().page.next
    }
    expect(await cursorOf()).toBe(await cursorOf())
    vi.stubEnv('PLIMSOLL_SECRET', 'another secret for tests')
    const app = await open({ migrate: { folder: 'migrations' } })
    app.resource('/makers', app.db.makers, { fields: ['id'] })
    vi.stubEnv('PLIMSOLL_SECRET', 'a secret for tests')
    expect((await app.fastify.inject(`/makers?after=${await cursorOf()}`)).statusCode).toBe(400)
  })

  test.each([[''], ['short'], ['x'.repeat(15)]])('refuses the secret %j, which could be guessed', async (secret) => {
    await expect(open({ secret })).rejects.toMatchObject({
      code: 'PLIMSOLL_OPTION_INVALID',
      message: expect.stringMatching(new RegExp(`'secret' has ${secret.length} characters.*at least 16`)),
    })
    if (secret === '') return
    vi.stubEnv('PLIMSOLL_SECRET', secret)
    const refused = await open().catch((error: Error) => error.message)
    expect(refused).toMatch(/^PLIMSOLL_SECRET has .*openssl rand/)
    expect(refused).not.toContain(secret)
  })

  test.runIf(engines.includes('PostgreSQL'))(
    'says once that other processes will refuse its cursors, where a database can have several and no secret is set',
    async () => {
      const database = await createDatabase()
      onTestFinished(database.drop)
      const printed = vi.spyOn(console, 'error').mockImplementation(() => {})
      onTestFinished(() => printed.mockRestore())
      const warnings = (): unknown[] => printed.mock.calls.flat().filter((line) => /PLIMSOLL_SECRET/.test(String(line)))
      await open({ secret: 'a secret for tests', databaseUrl: database.url })
      await open()
      expect(warnings()).toEqual([])
      await open({ databaseUrl: database.url })
      expect(warnings()).toEqual([expect.stringMatching(/refuse.*openssl rand.*the same for all/)])
      for (const app of opened) await app.close()
    },
  )

  test('refuses a port that is none before it touches the database', async () => {
    vi.stubEnv('PORT', 'abc')
    const url = 'postgres://nobody@127.0.0.1:1/none'
    await expect(open({ databaseUrl: url, migrate: { folder: 'migrations' } })).rejects.toMatchObject({
      code: 'PLIMSOLL_OPTION_INVALID',
      message: expect.stringContaining("'abc'"),
    })
    await expect(open({ databaseUrl: url, closeTimeout: 'soon' as never })).rejects.toThrow(/^closeTimeout/)
    // Where to listen is somebody else's affair then.
    await open({ fastify: Fastify() })
  })

  test('says which host it cannot listen on', async () => {
    const app = await open()
    for (const host of ['256.1.1.1', '192.0.2.1']) {
      await expect(app.listen({ port: 0, host })).rejects.toMatchObject({
        code: 'PLIMSOLL_OPTION_INVALID',
        message: expect.stringMatching(new RegExp(`^HOST is '${host}'.*127\\.0\\.0\\.1`)),
      })
    }
  })

  test('refuses a file that holds no secret', async () => {
    await mkdir('.plimsoll')
    await writeFile('.plimsoll/secret', 'short')
    await expect(open()).rejects.toThrow(/PLIMSOLL_SECRET.*delete it/)
  })

  test('listens where it is told and says where that is', async () => {
    const app = await open()
    app.fastify.get('/hello', () => 'hello')
    const url = await app.listen({ port: 0, host: '127.0.0.1' })
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:[1-9]\d+$/)
    expect(await (await fetch(`${url}/hello`)).text()).toBe('hello')
    await app.close()
    await expect(fetch(`${url}/hello`)).rejects.toThrow('fetch failed')
    await expect(app.listen({ port: 70_000 })).rejects.toMatchObject({ code: 'PLIMSOLL_OPTION_INVALID' })
  })

  test('answers with problems also where there is no route, no such method, or no readable URL', async () => {
    const app = await open()
    app.resource('/makers', app.db.makers, { fields: ['id'] })
    app.fastify.get('/broken', () => {
      throw new Error('select secret from cellar')
    })
    const printed = vi.spyOn(console, 'error').mockImplementation(() => {})
    const statuses: [string, 'GET' | 'POST', number][] = [
      ['/nothing', 'GET', 404],
      ['/makers', 'POST', 405],
      ['/makers/%ff', 'GET', 400],
      ['/broken', 'GET', 500],
    ]
    for (const [url, method, status] of statuses) {
      const response = await app.fastify.inject({ url, method })
      expect(response.statusCode, url).toBe(status)
      expect(response.headers['content-type'], url).toBe('application/problem+json; charset=utf-8')
      expect(response.json()).toMatchObject({ status, title: expect.any(String) })
      expect(response.headers['x-content-type-options'], url).toBe('nosniff')
      expect(response.body).not.toContain('cellar')
    }
    expect(printed).toHaveBeenCalledOnce()
    printed.mockRestore()
  })

  test('says that there is no such method, or no such path, whatever the body is', async () => {
    const app = await open()
    app.resource('/makers', app.db.makers, { fields: ['id'] })
    app.fastify.post('/own', () => 'taken')
    const post = async (url: string, type: string, body: string): Promise<number> => {
      const response = await app.fastify.inject({
        method: 'POST',
        url,
        payload: body,
        headers: { 'content-type': type },
      })
      return response.statusCode
    }
    for (const [type, body] of [
      ['application/json', '{"a":'],
      ['application/json', ''],
      ['text/html', '<p>'],
      ['what', 'x'],
    ] as const) {
      expect(await post('/makers', type, body)).toBe(405)
      expect(await post('/docs', type, body)).toBe(405)
      expect(await post('/nothing', type, body)).toBe(404)
      expect(await post('/own', type, body)).toBeGreaterThanOrEqual(400)
    }
  })

  test('joins a Fastify that is there already, and leaves its handlers alone', async () => {
    const fastify = Fastify()
    fastify.setErrorHandler((_, __, reply) => reply.code(418).send('theirs'))
    fastify.get('/own', () => Promise.reject(new Error('theirs')))
    const app = await open({ fastify, migrate: { folder: 'migrations' } })
    app.resource('/makers', app.db.makers, { fields: ['name'] })
    expect(app.fastify).toBe(fastify)
    expect((await fastify.inject('/own')).statusCode).toBe(418)
    expect((await fastify.inject('/makers/2')).json()).toEqual({ name: 'Two' })
  })
})

describe.each(engines)('migrations on %s', (engine) => {
  test('run once, also when two processes begin at the same time', async () => {
    const database = engine === 'PGlite' ? undefined : await createDatabase()
    const options = { databaseUrl: database?.url, secret: 'a secret for tests' }
    const first = await open(database ? options : {})
    const second = database ? await open(options) : first
    await Promise.all([first.migrate('migrations'), second.migrate('migrations')])
    await second.migrate('migrations')
    expect(await first.db.makers.count()).toBe(2)
    for (const app of opened) await app.close()
    await database?.drop()
  })
})

describe.each(engines)('alone on %s', (engine) => {
  test('the database and the resources work in an application of somebody else', async () => {
    const database = engine === 'PGlite' ? undefined : await createDatabase()
    const postgres = await openPostgres({ url: database?.url ?? 'pglite:memory' })
    const db = createDb({ relations, postgres, secret: 'a secret for tests' })
    await db.transaction(async (tx) => {
      for (const statement of migration.split('--> statement-breakpoint')) await tx.drizzle.execute(statement)
    })
    const fastify = Fastify()
    await fastify.register(plimsoll, { db, docs: false })
    fastify.resource('/makers', db.makers, { fields: ['id', 'name'] })
    registerResource(fastify, '/countries', db.makers.filter({ country: { isNotNull: true } }), { fields: ['country'] })
    expect((await fastify.inject('/makers?fields=name')).json().data).toEqual([{ name: 'One' }, { name: 'Two' }])
    expect((await fastify.inject('/countries')).json().data).toEqual([{ country: 'SE' }])
    expect((await fastify.inject('/docs')).statusCode).toBe(404)
    await fastify.close()
    await postgres.close()
    await database?.drop()
  })
})
