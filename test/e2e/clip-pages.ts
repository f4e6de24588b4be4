import { execFile } from 'node:child_process'
import { appendFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import type { Page, Response } from 'playwright-core'
import { expect } from 'vitest'

const run = promisify(execFile)

/** The ways in which the page plays. */
export const ways = ['hls', 'dash'] as const

/** Makes a film of so many seconds in two qualities' size, filled up to `bytes` with what no player reads. */
export async function makeClip(
  path: string,
  { seconds, bytes = 0 }: { seconds: number; bytes?: number },
): Promise<void> {
  const picture = ['-f', 'lavfi', '-i', `testsrc=size=640x360:rate=10:duration=${seconds}`]
  const sound = ['-f', 'lavfi', '-i', `sine=440:duration=${seconds}`]
  const coded = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-c:a', 'aac', '-b:a', '64k']
  await run('ffmpeg', [
    '-v',
    'error',
    '-nostdin',
    '-y',
    ...picture,
    ...sound,
    ...coded,
    '-movflags',
    '+faststart',
    path,
  ])
  if (bytes === 0) return
  const free = Buffer.alloc(bytes, 'ballast ')
  free.writeUInt32BE(bytes, 0)
  free.write('free', 4, 'latin1')
  await appendFile(path, free)
}

/** Chooses a file on the page of clips, and waits until its clip can be watched; resolves to the clip's id. */
export async function bringClip(page: Page, path: string): Promise<string> {
  await page.setInputFiles('#file', path)
  return readyClip(page)
}

/** Waits until the newest clip can be watched. */
export async function readyClip(page: Page): Promise<string> {
  await page.locator('.clip .opens').first().waitFor({ timeout: 90_000 })
  return (await page.locator('.clip').first().getAttribute('data-id'))!
}

/** Begins to play, without sound, and waits until it does. */
export async function play(page: Page): Promise<void> {
  await page.evaluate(`new Promise((resolve, reject) => {
    const video = document.getElementById('video')
    video.muted = true
    video.addEventListener('playing', resolve, { once: true })
    video.play().catch(reject)
  })`)
}

/** Goes to a second, and waits until the film plays on from there. */
export async function seek(page: Page, second: number): Promise<void> {
  await page.evaluate(`document.getElementById('video').currentTime = ${second}`)
  await expect
    .poll(() => page.evaluate<number>(`document.getElementById('video').currentTime`))
    .toBeGreaterThan(second + 0.3)
}

/** Plays slower, or faster, from now on. */
export async function playAt(page: Page, rate: number): Promise<void> {
  await page.evaluate(`document.getElementById('video').playbackRate = ${rate}`)
}

/** Chooses a quality by hand, and waits until its pictures are on the screen. */
export async function chooseQuality(page: Page, height: number): Promise<void> {
  await page.getByLabel('Quality').selectOption(String(height))
  await page.locator(`#stage[data-height="${height}"]`).waitFor({ timeout: 20_000 })
  await expect.poll(() => page.evaluate<number>(`document.getElementById('video').videoHeight`)).toBe(height)
}

/** Adds a WebVTT file to the newest clip, and waits until the captions, which are called so, can be watched. */
export async function bringCaptions(page: Page, path: string, label: string): Promise<void> {
  const captions = page.locator('.clip .captions').first()
  const summary = captions.locator('summary')
  await summary.click()
  await captions.locator('input[type=file]').setInputFiles(path)
  // Of the summary alone: the form below it offers all languages by their names, before anything was added.
  await summary.filter({ hasText: new RegExp(`^Captions: .*${label}`) }).waitFor()
  await page.locator('.clip[data-encoding=false]').first().waitFor({ timeout: 90_000 })
}

/** Chooses captions, and waits until the ones of this moment are shown. */
export async function readCaptions(page: Page, language: string): Promise<string> {
  await page.getByLabel('Captions').selectOption(language)
  await expect.poll(() => shownCaptions(page)).not.toBe('')
  return shownCaptions(page)
}

/** The captions of this moment. */
export function shownCaptions(page: Page): Promise<string> {
  return page.evaluate<string>(`[...document.getElementById('video').textTracks]
    .filter(({ mode }) => mode === 'showing')
    .flatMap(({ activeCues }) => [...(activeCues ?? [])].map(({ text }) => text))
    .join()`)
}

/** The segments that a page is given from now on, by their place in the package, with where they came from. */
export function watchSegments(page: Page): ReadonlyMap<string, string> {
  const seen = new Map<string, string>()
  page.on('response', (response: Response) => {
    const [, name] = /\/((?:\d+p|audio)\/\d{5}\.m4s)(?:\?|$)/.exec(response.url()) ?? []
    if (name !== undefined && response.status() === 200) seen.set(name, new URL(response.url()).origin)
  })
  return seen
}
