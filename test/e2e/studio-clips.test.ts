import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hasFfmpeg } from '../servers/ffmpeg.ts'
import { missingBrowser, openBrowser } from './browser.ts'
import {
  bringCaptions,
  bringClip,
  chooseQuality,
  makeClip,
  play,
  playAt,
  readCaptions,
  readyClip,
  seek,
  shownCaptions,
  watchSegments,
  ways,
} from './clip-pages.ts'
import { openPage } from './open-page.ts'
import { studioFor, studiosReady } from './filled-studio.ts'

const noBrowser = missingBrowser()
const name = 'Ferry — été 1.mp4'
const short = 'Ferry 2.mp4'
let browser: Browser
let folder = ''

beforeAll(async () => {
  if (noBrowser || !hasFfmpeg()) return
  await studiosReady()
  browser = await openBrowser()
  folder = mkdtempSync(join(tmpdir(), 'plimsoll-clips-'))
  // Large enough to come in parts.
  await makeClip(join(folder, name), { seconds: 70, bytes: 20_000_000 })
  await makeClip(join(folder, short), { seconds: 20 })
})

afterAll(async () => {
  await browser?.close()
  rmSync(folder, { recursive: true, force: true })
})

interface Captioned {
  readonly encoding: boolean
  readonly captions: readonly { readonly language: string }[]
}

describe.skipIf(noBrowser !== undefined || !hasFfmpeg())('a clip in the studio', { timeout: 180_000 }, () => {
  test('is sent past a pause and a broken line, encoded, played by both players from its middle, and saved', async () => {
    const { url } = await studioFor()
    const page = await openPage(browser, `${url}/clips.html`, { allows: /ERR_CONNECTION_RESET/ })
    await page.getByText('Nothing was brought from this browser yet.').waitFor()

    // Of three parts one arrives, and the others find the line broken.
    let broken = true
    let through = 0
    const stored: number[] = []
    page.on('response', (answer) => answer.request().method() === 'PUT' && stored.push(answer.status()))
    await page.route(/\/_files\?/, (route) => {
      if (broken && through > 0) return route.abort('connectionreset')
      through++
      return route.continue()
    })
    await page.setInputFiles('#file', join(folder, name))
    const upload = page.locator('.upload')
    await upload.getByRole('heading', { name }).waitFor()
    await upload.getByText('Nothing gets through; it is tried again and again').waitFor()
    const bar = (): Promise<{ value: number; max: number }> =>
      upload.getByRole('progressbar').evaluate((element) => {
        const { value, max } = element as unknown as { value: number; max: number }
        return { value, max }
      })
    const { value, max } = await bar()
    expect([value > 0, value < max]).toEqual([true, true])
    await upload.getByText(/^\d+ %$/).waitFor()
    await upload.getByRole('button', { name: 'Pause' }).click()
    await upload.getByText('Paused', { exact: true }).waitFor()
    broken = false
    const before = through
    await upload.getByRole('button', { name: 'Resume' }).waitFor()
    expect(through).toBe(before)
    await upload.getByRole('button', { name: 'Resume' }).click()
    // The encode is followed as it goes.
    const encode = page.locator('.clip .job')
    await encode.getByText(/^Encoding \d renditions$/).waitFor({ timeout: 60_000 })
    // What had arrived was not sent again.
    expect(stored.filter((status) => status === 200)).toHaveLength(3)
    await page.unrouteAll()
    const id = await readyClip(page)

    const bytes = await readFile(join(folder, name))
    for (const way of ways) {
      const watched = await page.context().newPage()
      const segments = watchSegments(watched)
      await watched.goto(`${url}/clip.html?id=${id}&by=${way}`)
      await watched.locator(`#stage[data-way=${way}][data-first-frame]`).waitFor()
      // Nobody has pressed play: only the beginning is there.
      expect([...segments.keys()].filter((one) => !/\/0000[1-4]\./.test(one))).toEqual([])
      await play(watched)
      await chooseQuality(watched, 240)
      await chooseQuality(watched, 360)
      await seek(watched, 56)
      const pictures = [...segments.keys()]
        .filter((one) => one.startsWith('360p/'))
        .map((one) => Number(one.slice(5, 10)))
      pictures.sort((one, other) => one - other)
      expect(pictures.at(-1)).toBeGreaterThan(28)
      // What lies between was passed over.
      expect(Math.max(...pictures.map((number, i) => number - (pictures[i - 1] ?? 0)))).toBeGreaterThan(4)
      const { fetched, total } = await watched.evaluate<{ fetched: number; total: number }>(
        `fetch('/api/clips/${id}').then((answer) => answer.json()).then(({ video }) => ({ fetched: Number(document.getElementById('stage').dataset.fetched), total: video.bytes }))`,
      )
      expect(fetched).toBeGreaterThan(0)
      expect(fetched).toBeLessThan(total * 0.8)
      await watched.close()
    }

    const watched = await openClip()
    const [saved] = await Promise.all([
      watched.waitForEvent('download'),
      watched.getByRole('link', { name: /^Download the original/ }).click(),
    ])
    expect(saved.suggestedFilename()).toBe(name)
    const sha256 = (content: Buffer): string => createHash('sha256').update(content).digest('hex')
    expect(sha256(await readFile(await saved.path()))).toBe(sha256(bytes))

    // Nobody else sees it, and nobody does once it is removed.
    const { hls } = ((await (await page.request.get(`${url}/api/clips/${id}`)).json()) as { video: { hls: string } })
      .video
    const stranger = await browser.newContext()
    for (const path of [`/api/clips/${id}`, hls]) expect((await stranger.request.get(url + path)).status()).toBe(404)
    expect((await page.request.get(url + hls)).status()).toBe(200)
    await stranger.close()
    await page.getByRole('button', { name: /^Remove/ }).click()
    await page.getByText('Nothing was brought from this browser yet.').waitFor()
    expect((await page.request.get(url + hls)).status()).toBe(404)

    async function openClip() {
      const opened = await page.context().newPage()
      await opened.goto(`${url}/clip.html?id=${id}`)
      return opened
    }
  })

  test('is brought, chosen and watched with the keyboard, in a narrow window too', async () => {
    const { url } = await studioFor()
    const page = await openPage(browser, `${url}/clips.html`, { viewport: { width: 320, height: 640 } })
    const fits = async (): Promise<void> => {
      const root = 'document.documentElement'
      expect(await page.evaluate<number>(`${root}.scrollWidth - ${root}.clientWidth`)).toBeLessThanOrEqual(0)
    }
    const tabTo = async (is: string): Promise<void> => {
      for (let i = 0; i < 40; i++) {
        if (await page.evaluate<boolean>(`(document.activeElement.matches(${JSON.stringify(is)}))`)) return
        await page.keyboard.press('Tab')
      }
      throw new Error(`Nobody comes to ${is} by the Tab key.`)
    }
    await page.getByText('Nothing was brought from this browser yet.').waitFor()
    // Whoever listens has the browser open no window of the system's.
    page.on('filechooser', () => {})
    await tabTo('#file')
    const [chooser] = await Promise.all([page.waitForEvent('filechooser'), page.keyboard.press('Enter')])
    await chooser.setFiles(join(folder, short))
    await fits()
    await readyClip(page)
    await fits()
    await tabTo('.clip .opens')
    await page.keyboard.press('Enter')
    await page.locator('#stage[data-way=hls][data-first-frame]').waitFor()
    await fits()
    await tabTo('.filmstrip button')
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    await expect.poll(() => page.evaluate<number>(`document.getElementById('video').currentTime`)).toBeGreaterThan(1)
    await tabTo('#ways input')
    await page.keyboard.press('ArrowRight')
    await page.locator('#stage[data-way=dash][data-first-frame]').waitFor()
    await tabTo('#quality')
    await page.keyboard.press('End')
    await page.locator('#stage[data-height="240"]').waitFor()
    await tabTo('#download')
  })

  test('is given captions while it is watched, which both players show, and loses them again', async () => {
    const { url } = await studioFor()
    const page = await openPage(browser, `${url}/clips.html`, { allows: /status of 422/ })
    const id = await bringClip(page, join(folder, short))
    const wrong = join(folder, 'wrong.en.vtt')
    await writeFile(wrong, '1\n00:00:00,000 --> 00:00:50,000\nOf another format.\n')
    const card = page.locator('.clip').first()
    await card.locator('summary').click()
    await card.locator('.captions input[type=file]').setInputFiles(wrong)
    await card.getByRole('alert').getByText('they do not begin with WEBVTT').waitFor()
    await card.locator('summary').click()
    // Those that come, and go, at one instant lose none of each other.
    const languages = ['da', 'de', 'fi', 'fr']
    const clip = async () => (await (await page.request.get(`${url}/api/clips/${id}`)).json()) as Captioned
    const shown = async (): Promise<string[]> => (await clip()).captions.map(({ language }) => language).sort()
    const atOnce = (method: 'PUT' | 'DELETE'): Promise<unknown> =>
      Promise.all(
        languages.map((language) => {
          const of = {
            method,
            headers: { 'content-type': 'text/vtt' },
            data: method === 'PUT' ? 'WEBVTT\n' : undefined,
          }
          return page.request.fetch(`${url}/api/clips/${id}/captions/${language}`, of)
        }),
      )
    await atOnce('PUT')
    expect(await shown()).toEqual(languages)
    await atOnce('DELETE')
    expect(await shown()).toEqual([])
    const texts = { en: 'The ferry leaves.', sv: 'Färjan går.' }
    for (const [language, text] of Object.entries(texts)) {
      const path = join(folder, `ferry.${language}.vtt`)
      await writeFile(path, `WEBVTT\n\n00:00.000 --> 00:08.000\n${text}\n\n00:09.000 --> 00:25.000\n${text} Later.\n`)
      await bringCaptions(page, path, language === 'en' ? 'English' : 'svenska')
    }
    await card.getByText('Captions: English, svenska').waitFor()
    // Whoever opens it from here on is given them.
    expect((await clip()).encoding).toBe(false)
    for (const way of ways) {
      const watched = await openPage(browser, `${url}/clips.html`, {
        storageState: await page.context().storageState(),
      })
      await watched.goto(`${url}/clip.html?id=${id}&by=${way}`)
      await watched.locator(`#stage[data-way=${way}][data-first-frame]`).waitFor()
      await playAt(watched, 0.25)
      await play(watched)
      expect(await readCaptions(watched, 'sv')).toBe(texts.sv)
      // What is still on its way when somebody goes elsewhere is shown there.
      const held = Promise.withResolvers<void>()
      await watched.route(/captions-en-/, async (route) => {
        await held.promise
        await route.continue()
      })
      const asked = watched.waitForRequest(/captions-en-/)
      await watched.getByLabel('Captions').selectOption('en')
      await asked
      await playAt(watched, 1)
      await seek(watched, 10)
      held.resolve()
      await expect.poll(() => shownCaptions(watched)).toBe(`${texts.en} Later.`)
      await seek(watched, 1)
      await expect.poll(() => shownCaptions(watched)).toBe(texts.en)
      await seek(watched, 10)
      if (way === 'hls') {
        // A slow machine would come to the end of the clip meanwhile.
        await watched.evaluate(`document.getElementById('video').pause()`)
        await watched.getByLabel('DASH').check()
        await watched.locator('#stage[data-way=dash]').waitFor()
        await expect.poll(() => watched.getByLabel('Captions').inputValue()).toBe('en')
        // What comes after the place was found is shown when it goes on.
        await playAt(watched, 0.25)
        await play(watched)
        await expect.poll(() => shownCaptions(watched)).toBe(`${texts.en} Later.`)
      }
      await watched.getByLabel('Captions').selectOption('')
      const showing = `[...document.getElementById('video').textTracks].filter(({ mode }) => mode === 'showing').length`
      await expect.poll(() => watched.evaluate<number>(showing)).toBe(0)
    }
    // Nobody else adds any, and only what is shown is kept.
    const stranger = await browser.newContext()
    const put = await stranger.request.put(`${url}/api/clips/${id}/captions/fr`, {
      headers: { 'content-type': 'text/vtt' },
      data: 'WEBVTT\n',
    })
    expect(put.status()).toBe(404)
    await stranger.close()
    await card.locator('summary').click()
    await card.getByRole('button', { name: 'Remove the captions in English' }).click()
    await card.getByText('Captions: svenska').waitFor()
    await page.locator('.clip[data-encoding=false]').waitFor({ timeout: 90_000 })
  })

  test('is sent though it was chosen before the page knew whose it is', async () => {
    const { url } = await studioFor({ PATH: folder })
    const page = await openPage(browser, 'about:blank')
    const { promise: chosen, resolve } = Promise.withResolvers<void>()
    await page.route('**/api/clips', async (route) => {
      await chosen
      await route.continue()
    })
    await page.goto(`${url}/clips.html`)
    await page.setInputFiles('#file', join(folder, short))
    resolve()
    await page.locator('.clip').waitFor({ timeout: 60_000 })
  })

  test('waits for ffmpeg where there is none, and says what to install', async () => {
    const { url } = await studioFor({ PATH: folder })
    const page = await openPage(browser, `${url}/clips.html`)
    await page.setInputFiles('#file', join(folder, name))
    await page
      .getByText('has no ffmpeg to encode it with. Install it there: apt-get install ffmpeg')
      .waitFor({ timeout: 60_000 })
    await page.getByRole('button', { name: 'Encode it again' }).waitFor()
    await expect.poll(() => page.locator('.clip').count()).toBe(1)
  })
})
