import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { createDatabase } from '../servers/database.ts'
import { copyPgliteTemplate } from '../servers/pglite-template.ts'
import { getList } from './api-walk.ts'
import { missingBrowser, openBrowser } from './browser.ts'
import { copyFirstStart, createStudioDatabase, firstStart, studiosReady } from './filled-studio.ts'
import { launchStudio, startStudio } from './studio-process.ts'

const noBrowser = missingBrowser()
const newestFilm = 6000
let browser: Browser

beforeAll(async () => {
  await studiosReady()
  if (!noBrowser) browser = await openBrowser()
})

afterAll(async () => {
  await browser?.close()
})

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'plimsoll-studio-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

// Filling the tables of an embedded database takes a while on a busy machine.
describe('starting the studio', { timeout: 120_000 }, () => {
  test('a second start keeps the data, and SIGTERM ends a studio in peace', async () => {
    const first = await firstStart()
    expect(first.output).toContain('First start')
    expect(first.code).toBe(0)
    const cwd = await temporaryFolder()
    await copyFirstStart(cwd)
    const second = await startStudio({ cwd })
    expect(second.output()).not.toContain('First start')
    expect(await getList(`${second.url}/api/videos`)).toEqual(first.films)
    expect(await second.stop()).toBe(0)
  })

  test('a studio that is killed while it fills its tables is whole after the next start', async () => {
    const cwd = await temporaryFolder()
    copyPgliteTemplate(join(cwd, '.plimsoll/db'))
    const killed = launchStudio({ cwd })
    await killed.saw(/videos/)
    await killed.kill()
    expect(killed.output()).not.toContain('done in')
    const next = await startStudio({ cwd })
    onTestFinished(() => next.stop().then(() => {}))
    expect(next.output()).toContain('First start')
    const { page } = await getList(`${next.url}/api/users?total=exact`)
    expect(page.total).toBe(2_000)
    expect((await getList(`${next.url}/api/videos/${newestFilm}/comments?total=exact`)).page.total).toBe(240)
  })

  test('of two studios that start at once on one PostgreSQL, one fills the tables and both serve', async () => {
    const database = await createDatabase()
    onTestFinished(database.drop)
    const env = { DATABASE_URL: database.url, PLIMSOLL_SECRET: 'the same secret for both, so that cursors are shared' }
    const both = await Promise.all([1, 2].map(async () => startStudio({ cwd: await temporaryFolder(), env })))
    onTestFinished(async () => void (await Promise.all(both.map((studio) => studio.stop()))))
    expect(both.filter((studio) => studio.output().includes('First start')).length).toBe(1)
    const [one, other] = both.map((studio) => studio.url)
    const { page } = await getList(`${one}/api/videos`)
    const after = encodeURIComponent(page.next!)
    expect(await getList(`${other}/api/videos?after=${after}`)).toEqual(
      await getList(`${one}/api/videos?after=${after}`),
    )
  })

  test('a port that is none ends the start before it touches the database', async () => {
    const studio = launchStudio({ cwd: await temporaryFolder(), env: { PORT: 'abc' } })
    expect(await studio.exit).toBe(1)
    expect(studio.output()).toContain("PORT is 'abc'; give a number from 0 to 65535.")
    expect(studio.output()).not.toContain('First start')
  })

  test('a port in use, or a host that is none, ends the start with the way out', async () => {
    const database = await createStudioDatabase()
    onTestFinished(database.drop)
    const env = { DATABASE_URL: database.url }
    const cwd = await temporaryFolder()
    const first = await startStudio({ cwd, env })
    onTestFinished(() => first.stop().then(() => {}))
    const { port } = new URL(first.url)
    const second = launchStudio({ cwd, env: { ...env, PORT: port } })
    expect(await second.exit).toBe(1)
    expect(second.output()).toContain(`Port ${port} is in use`)
    expect(second.output()).toContain(`PORT=${Number(port) + 1} npm start`)
    const third = launchStudio({ cwd, env: { ...env, HOST: '256.1.1.1' } })
    expect(await third.exit).toBe(1)
    expect(third.output()).toContain("HOST is '256.1.1.1', which is no address of this machine")
    expect(third.output()).not.toMatch(/^ +at /m)
  })

  test('a database that nobody serves is waited for, with a line that says so, and not for ever', async () => {
    const env = { DATABASE_URL: 'postgres://studio:hidden@127.0.0.1:9/studio?startupTimeout=2s' }
    const studio = launchStudio({ cwd: await temporaryFolder(), env })
    expect(await studio.exit).toBe(1)
    expect(studio.output()).toContain('PLIMSOLL_DATABASE_UNREACHABLE')
    expect(studio.output()).toContain('127.0.0.1:9')
    expect(studio.output()).not.toContain('hidden')
  })

  test.skipIf(noBrowser !== undefined)(
    'when the service goes away the page says so, and its button brings the list back',
    async () => {
      const cwd = await temporaryFolder()
      await copyFirstStart(cwd)
      const studio = await startStudio({ cwd })
      const page = await browser.newPage()
      onTestFinished(() => page.close())
      await page.goto(studio.url)
      await page.locator('.film').first().waitFor()
      await studio.stop()
      await page.getByRole('link', { name: 'Essays' }).first().click()
      const alert = page.getByRole('alert')
      await alert.getByText('The service cannot be reached.').waitFor()
      const second = await startStudio({ cwd, env: { PORT: new URL(studio.url).port } })
      onTestFinished(() => second.stop().then(() => {}))
      await alert.getByRole('button', { name: 'Try again' }).click()
      await page.locator('.essay').first().waitFor()
      await alert.waitFor({ state: 'detached' })
    },
  )
})
