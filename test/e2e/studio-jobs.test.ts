import { readFile } from 'node:fs/promises'
import pg from 'pg'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest'
import type { Database } from '../servers/database.ts'
import { unzip } from '../unit/files/unzip.ts'
import { missingBrowser, openBrowser } from './browser.ts'
import { openPage } from './open-page.ts'
import { createStudioDatabase, studioFor, studiosReady } from './filled-studio.ts'
import type { StudioProcess } from './studio-process.ts'

const noBrowser = missingBrowser()
const offer = 'Recount the comments'
let browser: Browser

beforeAll(async () => {
  await studiosReady()
  if (!noBrowser) browser = await openBrowser()
})

afterAll(async () => {
  await browser?.close()
})

function visit({ url }: StudioProcess, options: BrowserContextOptions = {}): Promise<Page> {
  return openPage(browser, `${url}/jobs.html`, options)
}

async function connect({ url }: Database): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  onTestFinished(() => client.end())
  return client
}

/** The process that runs the jobs now. */
function workerOf(studio: StudioProcess): number {
  return Number([...studio.output().matchAll(/process (\d+) runs the jobs/g)].at(-1)![1])
}

// A studio fills its tables first, which takes a while on a busy machine; a lease ends after 20 s.
describe.skipIf(noBrowser !== undefined)('the jobs of the studio', { timeout: 180_000 }, () => {
  test.skipIf(inject('postgresUrl') === '')(
    'go on in another worker when theirs is killed, and the page says so',
    async () => {
      const database = await createStudioDatabase()
      onTestFinished(database.drop)
      const studio = await studioFor({ DATABASE_URL: database.url })
      const client = await connect(database)
      const { rowCount: wrong } = await client.query(
        'update videos set comment_count = comment_count + 1 where id <= 30 or id = 3000',
      )
      expect(wrong).toBe(31)
      // Somebody else has the film in his hands: the job comes so far, and waits.
      await client.query('begin')
      await client.query('select from videos where id = 3000 for update')

      const page = await visit(studio)
      await page.getByRole('button', { name: offer }).click()
      const job = page.locator('.job')
      await job.getByText('Running').waitFor()
      await job.getByText(/^[\d,]+ of [\d,]+$/).waitFor()
      const killed = workerOf(studio)
      process.kill(killed, 'SIGKILL')
      await client.query('rollback')
      await job.getByText('Stalled: nothing is heard of its worker.').waitFor()
      await job.getByText('Begun again: its worker has died once.').waitFor({ timeout: 60_000 })
      await job.getByText('Done', { exact: true }).waitFor({ timeout: 60_000 })
      await job.getByText(/films looked at/).waitFor()
      expect(workerOf(studio)).not.toBe(killed)
      expect(studio.output()).toContain(`process ${killed} has ended (SIGKILL); another one starts`)

      const { rows } = await client.query(
        'select count(*) as wrong from videos where comment_count <> (select count(*) from comments where video_id = videos.id)',
      )
      expect(rows).toEqual([{ wrong: '0' }])
      // A reload shows it again, as it ended.
      await page.reload()
      await page
        .locator('.job')
        .getByText(/films looked at/)
        .waitFor()
    },
  )

  test.skipIf(inject('postgresUrl') === '')(
    'are ordered with the keyboard, cancelled, and seen by nobody else',
    async () => {
      const database = await createStudioDatabase()
      onTestFinished(database.drop)
      const studio = await studioFor({ DATABASE_URL: database.url })
      const client = await connect(database)
      // Nobody counts comments now: one job runs and waits, the other one waits to run.
      await client.query('begin')
      await client.query('lock table comments in access exclusive mode')
      const page = await visit(studio)
      const narrow = await visit(studio, { viewport: { width: 320, height: 640 } })
      for (const one of [page, narrow]) {
        await one.getByText('Nothing has been asked for from this browser yet.').waitFor()
        const focused = (): Promise<string> => one.evaluate<string>('document.activeElement.textContent')
        for (let i = 0; i < 20 && (await focused()) !== offer; i++) await one.keyboard.press('Tab')
        await one.keyboard.press('Enter')
        await one.locator('.job').waitFor()
        // What is under way is not begun twice.
        await one.keyboard.press('Enter')
        await one.getByRole('status').getByText('that is under way already').waitFor()
        expect(await one.locator('.job').count()).toBe(1)
      }
      const root = 'document.documentElement'
      expect(await narrow.evaluate<number>(`${root}.scrollWidth - ${root}.clientWidth`)).toBeLessThanOrEqual(0)
      // Each has one, and not the other's.
      const idOf = async (one: Page): Promise<string> => (await one.locator('.job').getAttribute('data-id'))!
      const [mine, theirs] = [await idOf(page), await idOf(narrow)]
      expect(mine).not.toBe(theirs)
      for (const [one, id, status] of [
        [page, mine, 200],
        [page, theirs, 404],
        [narrow, mine, 404],
      ] as const) {
        expect((await one.context().request.get(`${studio.url}/api/jobs/${id}`)).status()).toBe(status)
      }
      for (const one of [narrow, page]) {
        await one.getByRole('button', { name: 'Cancel' }).click()
        await one.locator('.job[data-state=cancelled]').waitFor()
        expect(await one.getByRole('button', { name: 'Cancel' }).count()).toBe(0)
      }
    },
  )

  test.skipIf(inject('postgresUrl') === '')(
    'write a spreadsheet, draw a poster and send a mail in the worker, and the page shows what has come of them',
    async () => {
      const database = await createStudioDatabase()
      onTestFinished(database.drop)
      const studio = await studioFor({ DATABASE_URL: database.url })
      const page = await visit(studio)
      const card = (title: string) => page.locator('.job').filter({ has: page.getByRole('heading', { name: title }) })
      for (const name of ['Films as XLSX', 'Films as CSV', 'Draw a poster', 'Mail the digest'])
        await page.getByRole('button', { name }).click()
      const download = async (title: string): Promise<Buffer> => {
        const [saved] = await Promise.all([
          page.waitForEvent('download', { timeout: 60_000 }),
          card(title).getByRole('link').click({ timeout: 60_000 }),
        ])
        expect(saved.suggestedFilename()).toMatch(/^waterline-films-[\d-]{10}\.(?:csv|xlsx)$/)
        return readFile(await saved.path())
      }
      const sheet = (await unzip(await download('Films as XLSX'))).get('xl/worksheets/sheet1.xml')!.toString()
      const [{ count: films }] = (
        await (await connect(database)).query("select count(*)::int from videos where status = 'published'")
      ).rows
      expect(sheet.split('<row ')).toHaveLength(films + 2)
      expect((await download('Films as CSV')).toString()).toMatch(
        /^\uFEFFTitle,Channel,Published,Minutes,Views,Comments,Description\r\n/,
      )
      const poster = card('Draw a poster').getByRole('img', { name: 'The poster', exact: true })
      await poster.waitFor({ timeout: 60_000 })
      await expect
        .poll(() => poster.evaluate((image) => (image as unknown as { naturalWidth: number }).naturalWidth))
        .toBe(960)
      await card('Mail the digest').getByText('On its way to readers@waterline.example.').waitFor({ timeout: 60_000 })
      expect(studio.output()).toContain('5 films that everybody watches')
    },
  )

  // Five hundred rounds of statements on PGlite, beside whatever else the machine does.
  test('run in the process of the studio when its database is embedded', { timeout: 400_000 }, async () => {
    const studio = await studioFor()
    const page = await visit(studio)
    await page.getByRole('button', { name: offer }).click()
    await page
      .locator('.job')
      .getByText(/films looked at, none corrected/)
      .waitFor({ timeout: 300_000 })
    expect(studio.output()).not.toContain('runs the jobs')
  })
})
