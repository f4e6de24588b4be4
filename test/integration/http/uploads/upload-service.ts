import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import { expect, inject, onTestFinished, vi } from 'vitest'
import { createApp, type App } from '../../../../src/app/index.ts'
import { openFastify } from '../../../../src/app/open-fastify.ts'
import type { Checksums } from '../../../../src/files/contract.ts'
import type { UploadOptions, UploadTicket } from '../../../../src/http/index.ts'
import { createStatement, readTexts, type Postgres } from '../../../../src/postgres/index.ts'
import { createDatabase, embeddedDatabase } from '../../../servers/database.ts'
import { defineProbe, relations, script } from './upload-models.ts'

/** The engines that are there. */
export const engines = inject('postgresUrl') ? (['PGlite', 'PostgreSQL'] as const) : (['PGlite'] as const)

type Tx = Parameters<UploadOptions<never>['onStored']>[1]
type Choices = Partial<Parameters<App<typeof relations>['uploads']>[1]>

/** A service that takes files. */
export interface UploadService {
  readonly app: App<typeof relations>
  readonly url: string
  /** The files that `onStored` was called with. */
  readonly stored: string[]
  rows(): Promise<readonly (readonly (string | null)[])[]>
  jobs(): Promise<number>
  /** What lies at the store, by key. */
  keys(): Promise<readonly string[]>
}

/** Runs a statement and gives its rows. */
export function query(postgres: Postgres, text: string): Promise<(string | null)[][]> {
  return readTexts(postgres, createStatement(text, { prepare: false, tracked: true }))
}

/** Opens a service whose uploads write a row and enqueue a job; on PostgreSQL where there is one, which takes least. */
export async function openService(
  options: Choices = {},
  {
    engine = engines.at(-1)!,
    routes,
    files,
    ...settings
  }: { readonly engine?: string; readonly routes?: (fastify: FastifyInstance) => void } & Partial<
    Parameters<typeof createApp<typeof relations>>[0]
  > = {},
): Promise<UploadService> {
  const database = engine === 'PGlite' ? embeddedDatabase : await createDatabase()
  const folder = await mkdtemp(join(tmpdir(), 'plimsoll-uploads-'))
  const probe = defineProbe()
  const app = await createApp({
    relations,
    databaseUrl: database.url,
    storageUrl: `file:${folder}`,
    secret: 'a secret of the tests, long enough',
    jobs: [probe],
    work: false,
    files: { sweep: '1h', ...files },
    ...(routes === undefined ? {} : { fastify: withRoutes(routes) }),
    ...settings,
  })
  onTestFinished(async () => {
    await app.close()
    await database.drop()
    await rm(folder, { recursive: true, force: true })
  })
  await query(app.postgres, script)
  const stored: string[] = []
  app.uploads('/uploads', {
    accept: ['*/*'],
    maxBytes: '100MB',
    onStored: async ({ key, type, size }, tx) => {
      stored.push(key)
      const row = await tx.assets.create({ key, type, size })
      await probe.enqueue({ key })
      return { asset: row.id }
    },
    ...options,
  })
  app.downloads('/files', { prefix: 'uploads/' })
  app.downloads('/proxied', { prefix: 'uploads/', deliver: 'proxy' })
  const url = (await app.listen({ port: 0, host: '127.0.0.1' })).replace('localhost', '127.0.0.1')
  return {
    app,
    url,
    stored,
    rows: () => query(app.postgres, 'select key, type, size from assets order by id'),
    jobs: async () => (await app.jobs.counts()).reduce((sum, { count }) => sum + count, 0),
    keys: async () => (await app.files.list('')).objects.map(({ key }) => key),
  }
}

/** A server with hooks and routes of the test's own, which hold for all that is added after them. */
function withRoutes(add: (fastify: FastifyInstance) => void): FastifyInstance {
  const fastify = openFastify({})
  add(fastify)
  return fastify
}

export type { Tx }

/** Resolves once the sweep that a service begins with is over, and has another one begin when it likes. */
export async function afterFirstSweep({ app: { postgres } }: Pick<UploadService, 'app'>): Promise<void> {
  // By then it is half an hour until the next; while it lasts, ten minutes.
  const rests = `select true from plimsoll.upload_sweeps where until > clock_timestamp() + interval '20 minutes'`
  await vi.waitFor(async () => expect(await query(postgres, rests)).toEqual([['t']]), { timeout: 30_000 })
  await query(postgres, 'delete from plimsoll.upload_sweeps')
}

/** What a service answers. */
export interface Answer<T = any> {
  readonly status: number
  readonly headers: Headers
  readonly body: T
}

/** Asks with JSON, and reads JSON. */
export async function call<T = any>(
  url: string,
  method: string,
  body?: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer<T>> {
  const response = await fetch(url, {
    method,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, headers: response.headers, body: (text === '' ? undefined : JSON.parse(text)) as T }
}

/** Sends a signed request. */
export async function send(
  base: string,
  { url, headers }: { readonly url: string; readonly headers: Readonly<Record<string, string>> },
  body: Uint8Array,
): Promise<Response> {
  const response = await fetch(new URL(url, base), { method: 'PUT', headers, body: new Uint8Array(body) })
  await response.arrayBuffer()
  return response
}

/** Begins an upload of some bytes. */
export async function begin(
  { url }: Pick<UploadService, 'url'>,
  bytes: Uint8Array,
  {
    name = 'notes.txt',
    type = 'text/plain',
    ...others
  }: { readonly name?: string; readonly type?: string; readonly size?: number } & Checksums = {},
): Promise<Answer<UploadTicket>> {
  return call(`${url}/uploads`, 'POST', { name, type, size: bytes.length, ...others })
}

/** Uploads some bytes in one request, and completes that. */
export async function upload(
  service: Pick<UploadService, 'url'>,
  bytes: Uint8Array,
  options: Parameters<typeof begin>[2] = {},
): Promise<Answer> {
  const { status, body, headers } = await begin(service, bytes, options)
  if (status !== 201) return { status, body, headers }
  const sent = await send(service.url, body.put!, bytes)
  if (sent.status !== 200) throw new Error(`The bytes were refused: ${sent.status}`)
  return call(`${service.url}${body.complete}`, 'POST')
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
