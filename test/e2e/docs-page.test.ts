import { createServer, request as forward } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { engines, openShop } from '../integration/http/shop.ts'
import { missingBrowser, openBrowser } from './browser.ts'
import { openPage } from './open-page.ts'

const noBrowser = missingBrowser()

describe.skipIf(noBrowser !== undefined)('the page of the description', () => {
  let browser: Browser
  let url: string
  const closing: (() => Promise<unknown>)[] = []

  beforeAll(async () => {
    browser = await openBrowser()
    const { app, close } = await openShop(engines.at(-1)!)
    closing.push(close, () => browser.close())
    url = await app.listen({ port: 0, host: '127.0.0.1' })
  })
  afterAll(async () => {
    for (const close of closing) await close()
  })

  async function visit(address: string, options: BrowserContextOptions = {}): Promise<Page> {
    const page = await openPage(browser, address, { viewport: { width: 1280, height: 700 }, ...options })
    await page.locator('details.operation').first().waitFor()
    return page
  }

  /** The panel of an operation, opened. */
  async function openOperation(page: Page, path: string): Promise<ReturnType<Page['locator']>> {
    const name = page.locator('summary code').filter({ hasText: new RegExp(`^${path}$`) })
    const panel = page.locator('details.operation').filter({ has: name })
    await panel.locator('summary').first().click()
    return panel
  }

  const ids = async (panel: ReturnType<Page['locator']>): Promise<number[]> => {
    const body = await panel.getByLabel('Body').textContent()
    return (JSON.parse(body!) as { data: { id: number }[] }).data.map((row) => row.id)
  }

  test('walks a list by keyboard: the focus stays on Next page, and goes to Previous page at the end', async () => {
    const page = await visit(`${url}/docs`)
    const panel = await openOperation(page, '/makers')
    await panel.getByLabel('size', { exact: true }).fill('3')
    await panel.getByLabel('size', { exact: true }).press('Enter')
    const next = panel.getByRole('button', { name: 'Next page' })
    await next.focus()
    const focused = (): Promise<string | null> => page.locator(':focus').textContent()
    for (const [expected, focus] of [
      [[4, 5, 6], 'Next page'],
      [[7], 'Previous page'],
    ] as const) {
      await page.keyboard.press('Enter')
      await expect.poll(() => ids(panel)).toEqual(expected)
      await expect.poll(focused).toBe(focus)
    }
    await page.keyboard.press('Enter')
    await expect.poll(() => ids(panel)).toEqual([4, 5, 6])
    await expect.poll(focused).toBe('Previous page')
  })

  test('opens at the heading that its address names', async () => {
    const page = await visit(`${url}/docs#tag-mine`, { viewport: { width: 1280, height: 300 } })
    const top = (): Promise<number> =>
      page.evaluate<number>(`document.getElementById('tag-mine').getBoundingClientRect().top`)
    await expect.poll(top).toBeLessThan(150)
    expect(await top()).toBeGreaterThanOrEqual(0)
  })

  test('shows code as code, and breaks no word of a path in a narrow window', async () => {
    const page = await visit(`${url}/docs`, { viewport: { width: 375, height: 700 } })
    const panel = await openOperation(page, '/items')
    expect(await panel.locator('small code').first().textContent()).not.toContain('`')
    expect(await page.locator('main').innerText()).not.toContain('`')
    const broken = await page.evaluate<string[]>(`(() => {
      const broken = []
      for (const code of document.querySelectorAll('summary code')) {
        for (const node of code.childNodes) {
          if (node.nodeType !== Node.TEXT_NODE) continue
          const range = document.createRange()
          range.selectNodeContents(node)
          if (new Set([...range.getClientRects()].map(({ top }) => Math.round(top))).size > 1) broken.push(node.data)
        }
      }
      return broken
    })()`)
    expect(broken).toEqual([])
    const tooWide = 'document.documentElement.scrollWidth - document.documentElement.clientWidth'
    expect(await page.evaluate<number>(tooWide)).toBeLessThanOrEqual(0)
  })

  test('works behind a proxy that takes a prefix off the path, and so do the links of lists', async () => {
    const proxy = createServer((incoming, outgoing) => {
      const inner = incoming.url!.startsWith('/shop/') ? incoming.url!.slice('/shop'.length) : '/outside-of-the-prefix'
      const onward = forward(new URL(inner, url), { method: incoming.method, headers: incoming.headers }, (answer) => {
        outgoing.writeHead(answer.statusCode!, answer.headers)
        answer.pipe(outgoing)
      })
      incoming.pipe(onward)
    })
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void proxy.close())
    const outside = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}/shop`

    const page = await visit(`${outside}/docs/`)
    expect(page.url()).toBe(`${outside}/docs`)
    const panel = await openOperation(page, '/makers')
    await panel.getByRole('button', { name: 'Send' }).click()
    await expect.poll(() => ids(panel)).toEqual([1, 2, 3, 4, 5, 6, 7])

    const seen: number[] = []
    for (let at: string | undefined = `${outside}/items?size=40&fields=id&order=name`; at !== undefined;) {
      const response: Response = await fetch(at)
      seen.push(...((await response.json()) as { data: { id: number }[] }).data.map((row) => row.id))
      const next = /<([^>]*)>; rel="next"/.exec(response.headers.get('link') ?? '')?.[1]
      at = next === undefined ? undefined : new URL(next, at).href
    }
    expect(new Set(seen).size).toBe(108)
  })
})
