import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, statSync } from 'node:fs'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { inject, onTestFinished } from 'vitest'
import { createDatabase, type Database } from '../servers/database.ts'
import { serveMadeOnce, takeMade } from '../servers/made-once.ts'
import { getList, type ListAnswer } from './api-walk.ts'
import { startStudio, type StudioProcess } from './studio-process.ts'

const root = join(import.meta.dirname, '../..')

/** What a first start of the studio on the embedded database has come to. */
export interface FirstStart {
  /** Where it ran: with its `.plimsoll`. Not to be started in again, but copied. */
  readonly folder: string
  readonly output: string
  /** The first page of its films. */
  readonly films: ListAnswer
  /** Its exit code after SIGTERM. */
  readonly code: number | null
}

/** What is made once for all test files, when one of them asks for it first. */
interface Made {
  built: undefined
  embedded: FirstStart
  /** The URL of a database that a studio has filled, and left. */
  database: string
}

/**
 * Has the studios of all tests begin as copies of one that has filled its tables, which takes it 15 seconds of a processor; and has one process
 * compile the package. `folder` is where copies are made of.
 */
export async function offerStudio(options: {
  readonly folder: string
  readonly postgresUrl: string | undefined
}): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const studios = await serveMadeOnce<Made>({
    built: buildWhenStale,
    async embedded() {
      await studios.once('built')
      const folder = mkdtempSync(join(options.folder, 'studio-'))
      const studio = await startStudio({ cwd: folder })
      const films = await getList(`${studio.url}/api/videos`)
      return { folder, films, code: await studio.stop(), output: studio.output() }
    },
    async database() {
      await studios.once('built')
      const { url } = await createDatabase(options.postgresUrl)
      const studio = await startStudio({
        cwd: mkdtempSync(join(options.folder, 'studio-')),
        env: { DATABASE_URL: url },
      })
      await studio.stop()
      return url
    },
  })
  return studios
}

function take<Name extends keyof Made>(name: Name): Promise<Made[Name]> {
  return takeMade<Made[Name]>(inject('studioOffer'), name)
}

/** Resolves when the package is compiled, as it is: programs that import it get what its users do. */
export async function packageBuilt(): Promise<void> {
  await take('built')
}

/** Resolves when there are studios to copy, for which somebody may have to wait for a minute. */
export async function studiosReady(): Promise<void> {
  await Promise.all([take('embedded'), inject('postgresUrl') !== '' && take('database')])
}

/** The first start of the test run on the embedded database. */
export function firstStart(): Promise<FirstStart> {
  return take('embedded')
}

/** Puts what the first start has left into a folder: a studio that starts there has its tables filled. */
export async function copyFirstStart(to: string): Promise<void> {
  await cp((await firstStart()).folder, to, { recursive: true })
}

/** A studio of a test's own, whose tables are filled: on `DATABASE_URL`, which {@link createStudioDatabase} has made, or embedded. */
export async function studioFor(env: Readonly<Record<string, string>> = {}): Promise<StudioProcess> {
  const cwd = await mkdtemp(join(tmpdir(), 'plimsoll-studio-'))
  if (env['DATABASE_URL'] === undefined) await copyFirstStart(cwd)
  const studio = await startStudio({ cwd, env })
  onTestFinished(async () => {
    await studio.stop()
    await rm(cwd, { recursive: true, force: true })
  })
  return studio
}

/** A database of PostgreSQL in which the studio has filled its tables. */
export async function createStudioDatabase(): Promise<Database> {
  return createDatabase(inject('postgresUrl'), { template: await take('database') })
}

/** Compiles the package, unless what is compiled is newer than every source. */
async function buildWhenStale(): Promise<undefined> {
  const built = join(root, 'dist/app/index.js')
  const newest = (folder: string): number =>
    Math.max(
      ...readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => statSync(join(folder, name)).mtimeMs),
    )
  if (existsSync(built) && statSync(built).mtimeMs > newest(join(root, 'src'))) return
  await promisify(execFile)(process.execPath, [join(root, 'scripts/build.ts')], {
    cwd: root,
    env: { ...process.env, PATH: `${join(root, 'node_modules/.bin')}:${process.env['PATH']}` },
  })
}
