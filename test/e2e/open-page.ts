import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { expect, onTestFinished } from 'vitest'

/** How a page is opened; `allows`: what the browser was made to complain of. */
export interface OpenPageOptions extends BrowserContextOptions {
  readonly allows?: RegExp
}

/** Opens a page in a context of its own; what the browser complains of fails the test. */
export async function openPage(
  browser: Browser,
  url: string,
  { allows = /^$/, ...options }: OpenPageOptions = {},
): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options })
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(`${message.text()} (${message.location().url})`)
  })
  onTestFinished(async () => {
    await context.close()
    expect(
      complaints.filter((complaint) => !allows.test(complaint)),
      'errors in the console of the browser',
    ).toEqual([])
  })
  await page.goto(url)
  return page
}
