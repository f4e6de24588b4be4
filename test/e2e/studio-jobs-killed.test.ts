import { readFile } from 'node:fs/promises'
import pg from 'pg'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest'
import { commandOf, descendants } from '../servers/descendants.ts'
import { startSmtp } from '../servers/smtp.ts'
import { missingBrowser, openBrowser } from './browser.ts'
import { createStudioDatabase, studioFor, studiosReady } from './filled-studio.ts'

const noBrowser = missingBrowser()
let browser: Browser

beforeAll(async () => {
  await studiosReady()
  if (!noBrowser) browser = await openBrowser()
})

afterAll(async () => {
  await browser?.close()
})

// A lease ends after 20 s.
describe.skipIf(noBrowser !== undefined || inject('postgresUrl') === '')(
  'the mail, the image and the report of the studio',
  { timeout: 180_000 },
  () => {
    test('lose nothing when their worker is killed while it works, and the page says so', async () => {
      const database = await createStudioDatabase()
      onTestFinished(database.drop)
      // A mail server that takes calls, and says nothing until it may.
      const silent: (() => void)[] = []
      let speaks = false
      const smtp = await startSmtp(0, {
        onConnect: (_session, done) => void (speaks ? done() : silent.push(done)),
      })
      onTestFinished(smtp.stop)
      const studio = await studioFor({ DATABASE_URL: database.url, MAIL_URL: `smtp://127.0.0.1:${smtp.port}` })
      const client = new pg.Client({ connectionString: database.url })
      await client.connect()
      onTestFinished(() => client.end())
      const page = await browser.newPage({ acceptDownloads: true })
      onTestFinished(() => page.context().close())
      await page.goto(`${studio.url}/jobs.html`)
      const order = (name: string): Promise<void> => page.getByRole('button', { name }).click()
      const card = (title: string) => page.locator('.job').filter({ has: page.getByRole('heading', { name: title }) })

      await order('Mail the digest')
      await expect.poll(() => silent.length).toBe(1)
      // Somebody else has the table in his hands: the report begins, and waits.
      await client.query('begin')
      await client.query('lock table channels in access exclusive mode')
      await order('Films as CSV')
      const workers = (): number[] =>
        [...studio.output().matchAll(/process (\d+) runs the jobs/g)].map(([, pid]) => Number(pid))
      const [first] = workers() as [number]
      await order('Draw a poster')
      // The process that is to make it starts, and is stopped before it can be done.
      const imageProcess = (): number | undefined =>
        descendants(first).find((pid) => commandOf(pid).includes('image-child'))
      await expect.poll(imageProcess, { interval: 5 }).toBeDefined()
      const making = imageProcess()!
      process.kill(making, 'SIGSTOP')
      const begun = ['Mail the digest', 'Films as CSV', 'Draw a poster']
      for (const title of begun) await card(title).getByText('Running').waitFor()
      process.kill(first, 'SIGKILL')
      // What is ordered now waits for the next one.
      await order('Films as XLSX')
      process.kill(making, 'SIGCONT')
      await expect.poll(() => commandOf(making), { message: 'it ends with its worker' }).toBe('')
      await client.query('rollback')
      speaks = true
      for (const done of silent) done()

      for (const title of begun)
        await card(title).getByText('Begun again: its worker has died once.').waitFor({ timeout: 60_000 })
      await card('Mail the digest').getByText('On its way to readers@waterline.example.').waitFor({ timeout: 60_000 })
      expect(smtp.received).toHaveLength(1)
      await card('Draw a poster').getByRole('img', { name: 'The poster', exact: true }).waitFor({ timeout: 60_000 })
      for (const title of ['Films as CSV', 'Films as XLSX'])
        await card(title).getByRole('link').waitFor({ timeout: 60_000 })
      const [saved] = await Promise.all([page.waitForEvent('download'), card('Films as CSV').getByRole('link').click()])
      const { rows } = await client.query<{ films: number }>(
        "select count(*)::int as films from videos where status = 'published'",
      )
      const lines = (await readFile(await saved.path(), 'utf8')).split('\r\n')
      expect(lines.filter((line) => line !== '')).toHaveLength(rows[0]!.films + 1)
      expect(workers().length).toBeGreaterThan(1)
    })
  },
)
