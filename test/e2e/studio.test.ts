import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest'
import { getList, walk } from './api-walk.ts'
import { missingBrowser, openBrowser } from './browser.ts'
import { openPage } from './open-page.ts'
import { copyFirstStart, createStudioDatabase, studiosReady } from './filled-studio.ts'
import { startStudio, type StudioProcess } from './studio-process.ts'

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

describe.each(['pglite', 'postgres'])('the studio on %s', (engine) => {
  let studio: StudioProcess
  const closing: (() => Promise<unknown>)[] = []

  beforeAll(async () => {
    const cwd = await mkdtemp(join(tmpdir(), 'plimsoll-studio-'))
    closing.push(() => rm(cwd, { recursive: true, force: true }))
    const env: Record<string, string> = {}
    if (engine === 'pglite') await copyFirstStart(cwd)
    else {
      const database = await createStudioDatabase()
      closing.unshift(database.drop)
      env['DATABASE_URL'] = database.url
      env['CACHE_URL'] = `${inject('redisUrl')}?namespace=studio-${process.pid}`
    }
    studio = await startStudio({ cwd, env })
    closing.unshift(studio.stop)
  })

  afterAll(async () => {
    for (const close of closing) await close()
  })

  function visit(address = '/', options: BrowserContextOptions = {}): Promise<Page> {
    return openPage(browser, new URL(address, studio.url).href, options)
  }

  const idsOf = (page: Page, selector = '#items > [data-id]'): Promise<string[]> =>
    page.evaluate<string[]>(`[...document.querySelectorAll('${selector}')].map((item) => item.dataset.id)`)

  const scrollY = (page: Page): Promise<number> => page.evaluate<number>('scrollY')

  /** Scrolls to the end of what is there until at least `count` entries are. */
  async function scrollUntil(page: Page, selector: string, count: number): Promise<void> {
    await expect
      .poll(async () => {
        await page.locator(selector).last().scrollIntoViewIfNeeded()
        return page.locator(selector).count()
      })
      .toBeGreaterThanOrEqual(count)
  }

  test.each([
    ['videos', 5_000],
    ['articles', 1_000],
    ['channels', 40],
    ['users', 1_000],
    ['tags', 40],
    [`videos/${newestFilm}/comments`, 200],
  ])('/api/%s answers data and page, and its cursors visit every row once', async (path, least) => {
    const url = `${studio.url}/api/${path}?size=100`
    const first = await getList(`${url}&total=exact`)
    expect(first.page).toEqual({
      size: 100,
      next: first.data.length < 100 ? null : expect.any(String),
      previous: null,
      total: expect.any(Number),
    })
    const ids = await walk(url)
    expect(ids.length).toBe(first.page.total)
    expect(ids.length).toBeGreaterThanOrEqual(least)
    expect(new Set(ids).size).toBe(ids.length)
  })

  test('a list walked backwards from its middle is the list walked forwards', async () => {
    const url = `${studio.url}/api/articles?size=50&order=title`
    const ids = await walk(url)
    const second = await getList(`${url}&after=${encodeURIComponent((await getList(url)).page.next!)}`)
    const third = await getList(`${url}&after=${encodeURIComponent(second.page.next!)}`)
    expect(await walk(url, 'previous', third.page.previous!)).toEqual(ids.slice(0, 100))
  })

  test('drafts are nowhere: not in the list, not by address, and neither are their comments', async () => {
    const listed = new Set(await walk(`${studio.url}/api/videos?size=100&fields=id`))
    const draft = Array.from({ length: newestFilm }, (_, index) => index + 1).find((id) => !listed.has(id))!
    expect((await fetch(`${studio.url}/api/videos/${draft}`)).status).toBe(404)
    expect((await getList(`${studio.url}/api/videos/${draft}/comments`)).data).toEqual([])
  })

  test('the description and its page are served', async () => {
    const description = (await (await fetch(`${studio.url}/openapi.json`)).json()) as { openapi: string; paths: object }
    expect(description.openapi).toMatch(/^3\.1\./)
    expect(Object.keys(description.paths)).toContain('/api/videos')
    expect((await fetch(`${studio.url}/docs`)).headers.get('content-type')).toContain('text/html')
  })

  test('the files of the page carry a validator and a policy that allows nothing from elsewhere', async () => {
    const response = await fetch(studio.url)
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8')
    expect(response.headers.get('content-security-policy')).toMatch(/^default-src 'none'; script-src 'self';/)
    const again = await fetch(studio.url, { headers: { 'if-none-match': response.headers.get('etag')! } })
    expect(again.status).toBe(304)
    expect((await fetch(`${studio.url}/studio.js`)).headers.get('content-type')).toContain('text/javascript')
  })

  describe.skipIf(noBrowser !== undefined)('in a browser', () => {
    test('the list grows through several pages without a repeated film', async () => {
      const page = await visit()
      await page.locator('.film').first().waitFor()
      expect(await page.locator('#count').textContent()).toMatch(/^5,\d{3} films$/)
      await scrollUntil(page, '.film', 120)
      const ids = await idsOf(page)
      expect(new Set(ids).size).toBe(ids.length)
      const listed = await walkSome(`${studio.url}/api/videos?size=100`, ids.length)
      expect(ids.map(Number)).toEqual(listed)
    })

    test('tag, channel, search and order narrow the list and stand in the address', async () => {
      const page = await visit()
      await page.locator('option[value=tides]').waitFor({ state: 'attached' })
      await page.getByLabel('Tag').selectOption('tides')
      await page.getByRole('heading', { level: 1, name: 'Tides' }).waitFor()
      await page.getByLabel('Order').selectOption('-views')
      await page.getByLabel('Search').fill('TIDE')
      await page.waitForURL(/q=TIDE/)
      const address = new URL(page.url())
      expect(Object.fromEntries(address.searchParams)).toEqual({ q: 'TIDE', tag: 'tides', order: '-views' })
      const query = 'filter[tags.slug]=tides&filter[title][ilike]=%25tide%25&order=-views&total=exact&size=24'
      const expected = await getList(`${studio.url}/api/videos?${query}`)
      await page
        .getByText(new RegExp(`^${expected.page.total} films$`))
        .first()
        .waitFor()
      await expect.poll(() => idsOf(page)).toEqual(expected.data.slice(0, 24).map((row) => String(row['id'])))
      await page.getByRole('button', { name: 'Clear' }).click()
      await page.waitForURL((url) => url.search === '')
    })

    test('the comments of a film grow to their end in the panel', async () => {
      const page = await visit(`/?video=${newestFilm}`)
      await page.getByRole('heading', { level: 3, name: '240 comments' }).waitFor()
      await page.locator('.comment').first().waitFor()
      await scrollUntil(page, '.comment', 240)
      await page.getByText('All 240 comments.').waitFor()
      const ids = await idsOf(page, '.comment')
      expect(ids.map(Number)).toEqual(await walk(`${studio.url}/api/videos/${newestFilm}/comments?size=100`))
    })

    test('what a reader says is there at once for everybody, though the lists are cached', async () => {
      const film = newestFilm - 1
      const lists = [`${studio.url}/api/videos?size=5`, `${studio.url}/api/videos/${film}/comments?size=5`]
      const [films, comments] = await Promise.all(lists.map((list) => getList(list)))
      const counted = Number(films!.data.find(({ id }) => id === film)!['commentCount'])
      const [writer, other] = [await visit(`/?video=${film}`), await visit(`/?video=${film}`)]
      await writer.getByLabel('Say something').fill('What a film!')
      await writer.getByLabel('Say something').press('Tab')
      await writer.keyboard.press('Enter')
      await writer.locator('.comment', { hasText: 'What a film!' }).waitFor()
      await writer.getByRole('heading', { level: 3, name: `${counted + 1} comments` }).waitFor()
      const [filmsNow, commentsNow] = await Promise.all(lists.map((list) => getList(list)))
      expect(filmsNow!.data.find(({ id }) => id === film)).toMatchObject({ commentCount: counted + 1 })
      expect(commentsNow!.data[0]).toMatchObject({ body: 'What a film!', author: { name: 'A reader' } })
      expect(commentsNow!.data.slice(1)).toEqual(comments!.data.slice(0, 4))
      await other.reload()
      await other.locator('.comment', { hasText: 'What a film!' }).waitFor()
    })
  })

  // What the page does by itself: it knows no engine, and gets the same answers, as the tests above say of both.
  if (engine !== 'pglite') return
  describe.skipIf(noBrowser !== undefined)('as a page', () => {
    test('a film and its comments open, scroll and close by keyboard alone, and the focus comes back', async () => {
      const page = await visit()
      const opener = page.locator('.film .opens').nth(3)
      await opener.waitFor()
      await opener.focus()
      await page.keyboard.press('Enter')
      const dialog = page.getByRole('dialog')
      await dialog.getByRole('heading', { level: 3 }).waitFor()
      expect(await dialog.getByRole('heading', { level: 2 }).textContent()).toBe(await opener.textContent())
      await page.keyboard.press('Escape')
      await dialog.waitFor({ state: 'hidden' })
      await expect.poll(() => page.locator(':focus').textContent()).toBe(await opener.textContent())
      expect(new URL(page.url()).search).toBe('')
    })

    test('back, forward and reload keep the list and the place in it', async () => {
      const page = await visit()
      await page.locator('.film').first().waitFor()
      await scrollUntil(page, '.film', 72)
      // Out of reach of the end, so that the list has stopped growing when it is looked at.
      await page.evaluate('scrollTo(0, 400)')
      await page.locator('#items[aria-busy=false]').waitFor()
      const [ids, place] = [await idsOf(page), await scrollY(page)]
      // A dispatched click scrolls nothing into view.
      await page.getByRole('link', { name: 'Essays' }).first().dispatchEvent('click')
      await page.locator('.essay').first().waitFor()
      await page.goBack()
      await expect.poll(() => idsOf(page)).toEqual(ids)
      await expect.poll(() => scrollY(page)).toBe(place)
      await page.reload()
      await expect.poll(async () => (await idsOf(page)).slice(0, ids.length)).toEqual(ids)
      await expect.poll(() => scrollY(page)).toBe(place)
      await page.goForward()
      await page.locator('.essay').first().waitFor()
    })

    test('a reload keeps the list and the place in it, though nothing was left or gone back to', async () => {
      const page = await visit()
      await page.locator('.film').first().waitFor()
      await scrollUntil(page, '.film', 96)
      await page.locator('#items[aria-busy=false]').waitFor()
      await page.evaluate('scrollBy(0, -300)')
      const [ids, place] = [await idsOf(page), await scrollY(page)]
      expect(place).toBeGreaterThan(1000)
      await expect.poll(() => page.evaluate('history.state?.scroll')).toBe(place)
      // Twice, since the first one could leave the place in a state that the second one loses.
      for (const _ of [1, 2]) {
        await page.reload()
        await expect.poll(async () => (await idsOf(page)).slice(0, ids.length)).toEqual(ids)
        await expect.poll(() => scrollY(page)).toBe(place)
      }
    })

    test.each([
      ['/?video=abc', 'There is nothing at this address.'],
      ['/?video=999999999', 'There is nothing at this address.'],
      ['/?article=1.5', 'There is nothing at this address.'],
      ['/?order=depth', 'There is no such list.'],
    ])('%s says that there is nothing, and offers no second try', async (address, text) => {
      // The browser itself complains of the answer in its console.
      const page = await browser.newPage()
      onTestFinished(() => page.close())
      await page.goto(new URL(address, studio.url).href)
      await page.getByRole('alert').getByText(text).waitFor()
      expect(await page.getByRole('button', { name: 'Try again' }).count()).toBe(0)
    })

    test.each(['/', '/?view=articles', '/?view=channels', `/?video=${newestFilm}`])(
      '%s fits a window of 320 pixels',
      async (address) => {
        const page = await visit(address, { viewport: { width: 320, height: 640 } })
        await page.locator('#items > [data-id]').first().waitFor()
        const root = 'document.documentElement'
        const tooWide = await page.evaluate<number>(`${root}.scrollWidth - ${root}.clientWidth`)
        expect(tooWide).toBeLessThanOrEqual(0)
      },
    )
  })

  async function walkSome(url: string, count: number): Promise<number[]> {
    const ids: number[] = []
    let after: string | null = null
    while (ids.length < count) {
      const { data, page } = await getList(after ? `${url}&after=${encodeURIComponent(after)}` : url)
      ids.push(...data.map((row) => row['id'] as number))
      after = page.next
    }
    return ids.slice(0, count)
  }
})
