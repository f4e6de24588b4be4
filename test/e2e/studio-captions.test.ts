import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { App, createApp } from '../../src/app/index.ts'
import type { FileStore } from '../../src/files/contract.ts'
import type { Job } from '../../src/jobs/index.ts'
import { hasFfmpeg } from '../servers/ffmpeg.ts'
import { makeClip } from './clip-pages.ts'
import { packageBuilt } from './filled-studio.ts'

const root = join(import.meta.dirname, '../..')
const owner = randomUUID()

/** Imports what the studio is made of, which imports the package as its users do. */
const load = async (path: string): Promise<any> => import(pathToFileURL(join(root, path)).href)

/** A clip as its owner is told of it. */
interface Told {
  readonly encoding: boolean
  readonly captions: readonly { readonly language: string }[]
  readonly video: { readonly hls: string; readonly dash: string } | null
}

describe.skipIf(!hasFfmpeg())('the captions of a clip, changed while jobs add others', () => {
  const folder = mkdtempSync(join(tmpdir(), 'plimsoll-captions-'))
  let app: App<any>
  let transcode: Job<object>
  let inputOf: (clip: object) => object
  beforeAll(async () => {
    await packageBuilt()
    const { createApp: create } = (await load('dist/app/index.js')) as { createApp: typeof createApp }
    const clips = await load('examples/studio/clips/transcode-clip.ts')
    const { takeClips } = await load('examples/studio/clips/clip-routes.ts')
    const { relations } = await load('examples/studio/schema.ts')
    transcode = clips.defineTranscode(() => app.db)
    inputOf = clips.transcodeInput
    const { diskStore } = await load('dist/files/drivers/disk/disk-store.js')
    const watched = watch(diskStore({ folder: join(folder, 'store') }))
    app = await create({
      relations,
      jobs: [transcode],
      databaseUrl: 'pglite:memory',
      files: { store: watched },
      secret: 'a secret of the tests',
      migrate: { folder: join(root, 'examples/studio/migrations') },
    })
    await takeClips(app, transcode)
    // Two at once, as two processes would.
    await app.jobs.work({ queues: ['video'] })
    await makeClip(join(folder, 'ferry.mp4'), { seconds: 4 })
  })
  afterAll(async () => {
    await app?.close()
    rmSync(folder, { recursive: true, force: true })
  })

  const ask = (method: 'GET' | 'PUT' | 'DELETE', url: string, payload?: string) =>
    app.fastify.inject({
      method,
      url,
      headers: { cookie: `visitor=${owner}`, ...(payload === undefined ? {} : { 'content-type': 'text/vtt' }) },
      ...(payload === undefined ? {} : { payload }),
    })
  const told = async (id: string): Promise<Told> => (await ask('GET', `/api/clips/${id}`)).json()
  async function ready(id: string): Promise<void> {
    await expect.poll(async () => (await told(id)).encoding).toBe(false)
  }
  const captionsOf = (id: string, language: string): string => `/api/clips/${id}/captions/${language}`
  async function add(id: string, language: string): Promise<void> {
    const answer = await ask('PUT', captionsOf(id, language), 'WEBVTT\n\n00:00.000 --> 00:03.000\nHello.\n')
    expect(answer.statusCode).toBe(200)
  }
  async function remove(id: string, language: string): Promise<void> {
    expect((await ask('DELETE', captionsOf(id, language))).statusCode).toBe(200)
  }

  /** A clip that can be watched. */
  async function bring(): Promise<string> {
    const id = randomUUID()
    const fileKey = `clips/${id}/original/ferry.mp4`
    const bytes = await readFile(join(folder, 'ferry.mp4'))
    await app.files.put(fileKey, bytes, { type: 'video/mp4' })
    const clip = { id, owner, title: 'Ferry', fileKey, fileName: 'ferry.mp4', fileSize: bytes.length }
    const { id: jobId } = await transcode.enqueue(inputOf(clip), { owner })
    await app.db.clips!.create({ ...clip, jobId })
    await ready(id)
    return id
  }

  /** What happens before the store does something for the first time. */
  let due: { readonly what: string; readonly key: RegExp; readonly happen: () => Promise<void> } | undefined
  function watch(store: FileStore): FileStore {
    return new Proxy(store, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target)
        if (typeof value !== 'function') return value
        return (...given: unknown[]): unknown => {
          const { happen } = due?.what === name && due.key.test(String(given[0])) ? due : {}
          if (happen === undefined) return value.apply(target, given)
          due = undefined
          return happen().then(() => value.apply(target, given))
        }
      },
    })
  }

  /** The addresses of captions that players would not find, of a clip that has some in these languages. */
  async function missing(id: string, ...languages: string[]): Promise<string[]> {
    const { captions, video } = await told(id)
    expect(captions.map(({ language }) => language).sort()).toEqual(languages)
    const text = async (url: string): Promise<string> => (await ask('GET', url)).body
    const [hls, dash] = [await text(video!.hls), await text(video!.dash)]
    const names = [
      ...hls.matchAll(/TYPE=SUBTITLES,URI="([^"]+)"/g),
      ...dash.matchAll(/<BaseURL>(captions-[^<]+)</g),
    ].map(([, name]) => name!)
    expect(names).toHaveLength(2 * languages.length)
    const lost: string[] = []
    for (const name of names) {
      const address = video!.hls.replace(/[^/]+$/, name)
      const { statusCode, body } = await ask('GET', address)
      if (statusCode !== 200) lost.push(address)
      for (const [segment] of body.matchAll(/^\d+\.vtt$/gm))
        if ((await ask('GET', address.replace(/[^/]+$/, segment))).statusCode !== 200) lost.push(segment)
    }
    return lost
  }

  test.each(['list', 'delete'] as const)(
    'are there when some were added before a job that ends came to %s those that are taken off',
    async (what) => {
      const id = await bring()
      await add(id, 'da')
      await ready(id)
      due = {
        what,
        key: /\/captions-/,
        async happen() {
          await add(id, 'sv')
          await ready(id)
        },
      }
      await remove(id, 'da')
      await ready(id)
      await expect.poll(async () => (await app.files.list(`clips/${id}/`)).objects.filter(isDanish)).toEqual([])
      expect(due).toBeUndefined()
      expect(await missing(id, 'sv')).toEqual([])
    },
  )

  test('are added by a job of their own when the one that was to add the same ones is being cancelled', async () => {
    const id = await bring()
    const begun = Promise.withResolvers<void>()
    const held = Promise.withResolvers<void>()
    due = {
      what: 'put',
      key: /\/captions-en/,
      happen() {
        begun.resolve()
        return held.promise
      },
    }
    await add(id, 'en')
    await begun.promise
    await add(id, 'sv')
    await remove(id, 'sv')
    held.resolve()
    await ready(id)
    expect(await missing(id, 'en')).toEqual([])
  })
})

const isDanish = ({ key }: { readonly key: string }): boolean => key.includes('/captions-da')
