import { hash } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { createApp, diskStore, type App } from '../../../src/app/index.ts'
import type { FileStore } from '../../../src/files/contract.ts'
import type { Images } from '../../../src/http/files/images.ts'
import { relations } from '../../faults/service.ts'
import { plainPng } from './make-png.ts'

type Name = 'small' | 'square'

interface Instance {
  readonly app: App<typeof relations>
  readonly images: Images<Name>
  /** Those that are kept in another folder. */
  readonly elsewhere: Images<Name>
  /** The keys that it has stored, without those of leases. */
  readonly stored: string[]
}

const folder = mkdtempSync(join(tmpdir(), 'plimsoll-variants-'))
const variants = { small: { width: 32 }, square: { width: 16, height: 16, fit: 'cover', format: 'avif' } } as const
const secret = 'a secret of the tests'
let one: Instance
let two: Instance
let count = 0

/** An instance of a service; all of them share the storage, and none of them knows of the others. */
async function open(given = secret): Promise<Instance> {
  const stored: string[] = []
  const store = diskStore({ folder })
  const watched: FileStore = {
    ...store,
    put: (key, body, options) => {
      if (key.startsWith('.images/') && !key.endsWith('.lease')) stored.push(key)
      return store.put(key, body, options)
    },
  }
  for (const method of ['get', 'head', 'copy', 'compose', 'list', 'delete', 'close'] as const)
    Object.assign(watched, { [method]: store[method].bind(store) })
  const app = await createApp({ relations, databaseUrl: 'pglite:memory', secret: given, files: { store: watched } })
  app.downloads('/files', { authorize: (_request, key) => !key.startsWith('private/') })
  app.fastify.get<{ Querystring: { key: string } }>('/zip', (request, reply) => reply.zip(app.files, [request.query]))
  const elsewhere = app.images('/elsewhere', { variants, folder: 'variants' })
  return { app, stored, images: app.images('/images', { variants }), elsewhere }
}

beforeAll(async () => {
  ;[one, two] = await Promise.all([open(), open()])
})
afterAll(async () => {
  await Promise.all([one.app.close(), two.app.close()])
  rmSync(folder, { recursive: true, force: true })
})

const picture = async (width = 64, background = 'teal'): Promise<Buffer> =>
  sharp({ create: { width, height: width / 2, channels: 3, background } })
    .jpeg()
    .toBuffer()

/** A key of a test's own, with an image under it. */
async function keyOf(image?: Uint8Array, name = 'a picture.jpg'): Promise<string> {
  const key = `uploads/${count++}/${name}`
  await one.app.files.put(key, image ?? (await picture()), { type: 'image/jpeg' })
  return key
}

const get = ({ app }: Instance, url: string, headers: Record<string, string> = {}) =>
  app.fastify.inject({ url, headers })

describe('a variant of an image', () => {
  test('is made when it is asked for, and kept by everybody for ever', async () => {
    const key = await keyOf()
    const url = one.images.url(key, 'small')
    expect(url).toMatch(/^\/images\/small\/[\w-]{24}\/uploads\/\d+\/a%20picture\.jpg$/)
    const answer = await get(one, url)
    expect(answer.statusCode).toBe(200)
    expect(answer.headers).toMatchObject({
      'content-type': 'image/webp',
      'cache-control': 'public, max-age=31536000, immutable',
      'x-content-type-options': 'nosniff',
      'content-length': String(answer.rawPayload.length),
    })
    expect(await sharp(answer.rawPayload).metadata()).toMatchObject({ format: 'webp', width: 32, height: 16 })
    const again = await get(two, url, { 'if-none-match': String(answer.headers['etag']) })
    expect([again.statusCode, again.rawPayload.length]).toEqual([304, 0])
    const head = await two.app.fastify.inject({ method: 'HEAD', url })
    expect([head.statusCode, head.headers['content-length']]).toEqual([200, answer.headers['content-length']])
    expect(two.stored).toEqual([])
  })

  test('is made once, however many ask for it in however many processes', async () => {
    const key = await keyOf()
    const before = [one.stored.length, two.stored.length]
    const url = one.images.url(key, 'square')
    const answers = await Promise.all(Array.from({ length: 40 }, (_, i) => get(i % 2 === 0 ? one : two, url)))
    expect(new Set(answers.map(({ statusCode }) => statusCode))).toEqual(new Set([200]))
    expect(new Set(answers.map(({ headers }) => headers['etag'])).size).toBe(1)
    expect(one.stored.length - before[0]! + (two.stored.length - before[1]!)).toBe(1)
    // Nothing of the lease is left.
    const { objects } = await one.app.files.list('.images/')
    expect(objects.filter((object) => object.key.endsWith('.lease'))).toEqual([])
  })

  test('is made by another process when the one that began has died, and waited for when it has not', async () => {
    for (const [until, dies] of [
      [Date.now() - 60_000, true],
      [Date.now() + 60_000, false],
    ] as const) {
      const key = await keyOf()
      const other = await keyOf()
      // Where it will be kept is not told; another image's place shows what it looks like.
      await get(one, one.images.url(other, 'small'))
      const [kept] = one.stored.slice(-1)
      const place = await placeOf(key, kept!)
      await one.app.files.put(`${place}.lease`, Buffer.from(JSON.stringify({ until, token: 'somebody else' })))
      const answer = get(two, two.images.url(key, 'small'))
      if (!dies) await one.app.files.put(place, Buffer.from('made by the other one'), { type: 'image/webp' })
      const { statusCode, body } = await answer
      expect([statusCode, body === 'made by the other one']).toEqual([200, !dies])
    }
  })

  test.each(['.images', 'variants'])('is served from %s at its signed address alone', async (where) => {
    const images = where === '.images' ? one.images : one.elsewhere
    const source = await keyOf()
    const key = `private/${source}`
    await one.app.files.copy(source, key)
    expect((await get(one, images.url(key, 'small'))).statusCode).toBe(200)
    // Whoever knows the code can work out where it is kept.
    const { objects } = await one.app.files.list(`${where}/${hash('sha256', key, 'hex').slice(0, 32)}/`)
    const [kept] = objects.map((object) => object.key)
    expect(kept).toMatch(/\.webp$/)
    for (const url of [`/files/${key}`, `/files/${kept}`, `/zip?key=${kept}`])
      expect([(await get(one, url)).statusCode, url]).toEqual([404, url])
    await expect(one.app.files.url(kept!)).rejects.toMatchObject({ code: 'PLIMSOLL_FILE_KEY_INVALID' })
    // Nor is there a variant of it.
    expect((await get(one, images.url(kept!, 'square'))).statusCode).toBe(403)
    // What the application has in a folder of such a name is its own.
    await one.app.files.put('variants/a.txt', Buffer.from('a list of variants'))
    expect((await get(one, '/files/variants/a.txt')).body).toBe('a list of variants')
  })

  test('is gone with the image, when that is said', async () => {
    const key = await keyOf()
    const urls = [one.images.url(key, 'small'), one.images.url(key, 'square')]
    for (const url of urls) expect((await get(one, url)).statusCode).toBe(200)
    await one.app.files.delete([key])
    expect((await get(one, urls[0]!)).statusCode).toBe(200)
    await two.images.forget(key)
    for (const url of urls) {
      const answer = await get(one, url)
      expect([answer.statusCode, answer.json().code]).toEqual([404, 'PLIMSOLL_FILE_NOT_FOUND'])
    }
  })

  test('has an address of its own for each content, where that is asked for', async () => {
    const key = await keyOf(await picture(64, 'red'))
    const urlOf = async (): Promise<string> =>
      one.images.url(key, 'small', { etag: (await one.app.files.head(key))!.etag })
    const [first, made] = [await urlOf(), await get(one, await urlOf())]
    await one.app.files.put(key, await picture(64, 'blue'), { type: 'image/jpeg' })
    const second = await urlOf()
    expect(second).not.toBe(first)
    const answer = await get(one, second)
    expect(answer.statusCode).toBe(200)
    expect(answer.headers['etag']).not.toBe(made.headers['etag'])
    expect((await get(two, first)).headers['etag']).toBe(made.headers['etag'])
    // An old address cannot be made to show the new content.
    await one.images.forget(key)
    expect((await get(two, first)).statusCode).toBe(404)
    expect((await get(two, second)).statusCode).toBe(200)
  })

  test.each(['naïve 写真.jpg', 'a?b#c%2e.jpg', `${'n'.repeat(300)}.jpg`, 'a+b&c=d.jpg'])(
    'is found under the name %j',
    async (name) => {
      const key = await keyOf(undefined, name)
      expect((await get(one, one.images.url(key, 'small'))).statusCode).toBe(200)
    },
  )
})

test.skipIf(!existsSync('/proc/self/fd'))('leaves no file open', async () => {
  const left = (): string[] =>
    readdirSync('/proc/self/fd').flatMap((fd) => {
      try {
        const place = readlinkSync(`/proc/self/fd/${fd}`)
        return place.startsWith(folder) ? [place] : []
      } catch {
        return []
      }
    })
  await expect.poll(left).toEqual([])
})

/** Where a variant of a key will be kept, by how that of another one is. */
async function placeOf(key: string, kept: string): Promise<string> {
  const { hash } = await import('node:crypto')
  return `.images/${hash('sha256', key, 'hex').slice(0, 32)}/${kept.split('/').at(-1)}`
}

describe('an address of a variant', () => {
  test('is refused when anything of it was changed, it is over, or of another application', async () => {
    const key = await keyOf()
    const other = await keyOf()
    const url = one.images.url(key, 'small')
    const stranger = await open('another secret of the tests')
    const brief = one.images.url(key, 'small', { expires: '1m' })
    const [, signature] = /^\/images\/small\/([^/]+)\//.exec(url)!
    const expiring = await get(one, brief)
    expect(expiring.statusCode).toBe(200)
    expect(expiring.headers['cache-control']).toMatch(/^private, max-age=(?:60|59)$/)
    const later = brief.replace(
      /\.([\da-z]+)\//,
      (_, expiry: string) => `.${(Number.parseInt(expiry, 36) + 3600).toString(36)}/`,
    )
    expect(later).not.toBe(brief)
    const wrong = {
      'another key': url.replace(encodeURI(key), encodeURI(other)),
      'another variant': url.replace('/small/', '/square/'),
      'no such variant': url.replace('/small/', '/huge/'),
      'another signature': url.replace(signature!, `${signature![0] === 'A' ? 'B' : 'A'}${signature!.slice(1)}`),
      'a shorter signature': url.replace(signature!, signature!.slice(0, 23)),
      'no signature': url.replace(signature!, '~'),
      'a version': url.replace(signature!, `${signature}~abcdefghijkl`),
      'a later end': later,
      'no end': brief.replace(/\.[\da-z]+\//, '/'),
      'another application': stranger.images.url(key, 'small'),
    }
    await stranger.app.close()
    for (const [what, address] of Object.entries(wrong)) {
      const answer = await get(one, address)
      expect([answer.statusCode, answer.json().code], what).toEqual([403, 'PLIMSOLL_SIGNATURE_INVALID'])
      expect(answer.headers['cache-control'], what).toBe('no-store')
    }
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 62_000 })
    try {
      expect((await get(one, brief)).statusCode).toBe(403)
      expect((await get(one, url)).statusCode).toBe(200)
    } finally {
      vi.useRealTimers()
    }
  })

  test('of what is no image, or one that means harm, is answered with what is wrong, and remembered', async () => {
    for (const [image, code] of [
      [Buffer.from('<!doctype html><script>alert(1)</script>'), 'PLIMSOLL_IMAGE_INVALID'],
      [plainPng(16_000, 16_000), 'PLIMSOLL_IMAGE_TOO_LARGE'],
      [(await picture(600)).subarray(0, 700), 'PLIMSOLL_IMAGE_INVALID'],
    ] as const) {
      const key = await keyOf(image, 'harm.png')
      const answers = await Promise.all([1, 2, 3].map(() => get(one, one.images.url(key, 'small'))))
      answers.push(await get(one, one.images.url(key, 'small')))
      for (const answer of answers) {
        expect([answer.statusCode, answer.json().code]).toEqual([422, code])
        expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/)
        expect(answer.body).not.toContain(tmpdir())
      }
    }
    expect((await get(one, one.images.url('uploads/none.jpg', 'small'))).statusCode).toBe(404)
  })

  test('has its path for a CDN, which encodes it', async () => {
    const key = await keyOf(undefined, "å b's?.jpg")
    const path = one.images.path(key, 'small')
    expect(path.slice(-key.length - 1)).toBe(`/${key}`)
    const url = one.app.cdn.url(path)
    expect(url).not.toBe(path)
    expect((await get(one, url)).statusCode).toBe(200)
    expect(() => one.images.path(key, 'huge' as 'small')).toThrow("there are 'small', 'square'")
  })

  test('is made for variants that there are, of options that there are', () => {
    expect(() => one.images.url('a.jpg', 'huge' as 'small')).toThrow("there are 'small', 'square'")
    expect(() => one.images.url('uploads/../a.jpg', 'small')).toThrow(
      expect.objectContaining({ code: 'PLIMSOLL_FILE_KEY_INVALID' }),
    )
    for (const [path, given] of [
      ['/:x', variants],
      ['/more', {}],
      ['/more', { 'a b': {} }],
      ['/more', { a: { width: 0 } }],
      ['/more', { a: { format: 'gif' } }],
      ['/more', { a: { width: 3, colour: 'red' } }],
      ['/more', { a: { animation: 'keep', format: 'avif' } }],
    ] as const) {
      expect(() => one.app.images(path, { variants: given as typeof variants }), JSON.stringify(given)).toThrow(
        expect.objectContaining({ code: 'PLIMSOLL_OPTION_INVALID' }),
      )
    }
    // Another process would have taken over by then.
    const slow = { variants, limits: { timeout: '111s' } } as const
    expect(() => one.app.images('/slow', slow)).toThrow(/another process takes over.* 110000 ms; give less/)
  })
})
