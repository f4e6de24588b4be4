import { once } from 'node:events'
import { request } from 'node:http'
import { setImmediate } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createApp, type App } from '../../../../src/app/index.ts'
import { someBytes, unique } from '../../../drivers/file-store.ts'
import { relations } from '../../../faults/service.ts'
import { findRadosgw, radosgwUrl } from '../../../servers/radosgw.ts'
import { ask } from './file-service.ts'

const bytes = someBytes(100_000)

describe.skipIf(findRadosgw() === undefined)(
  'a download of a bucket by way of the application',
  { timeout: 60_000 },
  () => {
    let app: App<typeof relations>
    let url = ''
    const newHook = () => ({ reached: Promise.withResolvers<void>(), gone: Promise.withResolvers<void>() })
    let hook = newHook()
    beforeAll(async () => {
      const storageUrl = `${await radosgwUrl()}&prefix=bucket-ranges/`
      app = await createApp({ relations, databaseUrl: 'pglite:memory', storageUrl, secret: 'a secret of the tests' })
      app.fastify.addHook('onSend', async (asked, reply) => {
        if (!asked.url.endsWith('?slowly')) return
        const { gone, reached } = hook
        hook = newHook()
        const closed = once(reply.raw, 'close')
        reached.resolve()
        await closed
        // What listens to the end of the connection as well has heard of it.
        await setImmediate()
        gone.resolve()
      })
      app.downloads('/media', { deliver: 'proxy' })
      url = await app.listen({ port: 0, host: '127.0.0.1' })
    }, 300_000)
    afterAll(() => app?.close())

    async function setup() {
      const key = unique()
      const { etag } = await app.files.put(key, bytes, { type: 'video/mp4' })
      const get = (headers: Readonly<Record<string, string>>) => ask(url, `/media/${key}`, { headers })
      return { key, etag, get }
    }

    test.each([
      ['bytes=0-4', 0, 4],
      ['bytes=50000-', 50_000, 99_999],
      ['bytes=-7', 99_993, 99_999],
      ['bytes=99990-200000', 99_990, 99_999],
    ])('has the bytes of %s alone', async (range, first, last) => {
      const { get } = await setup()
      const { status, headers, body } = await get({ range })
      expect([status, headers['content-range']]).toEqual([206, `bytes ${first}-${last}/100000`])
      expect(headers['content-length']).toBe(String(last - first + 1))
      expect(body.equals(bytes.subarray(first, last + 1))).toBe(true)
    })

    test('has each of several ranges with its place, in the order that they were asked for in', async () => {
      const { get } = await setup()
      const { status, headers, body } = await get({ range: 'bytes=500-504,0-4,-3' })
      expect([status, Number(headers['content-length'])]).toEqual([206, body.length])
      const boundary = /^multipart\/byteranges; boundary=(.+)$/.exec(headers['content-type']!)![1]!
      const wanted = [
        [500, 504],
        [0, 4],
        [99_997, 99_999],
      ] as const
      const head = (range: string): string =>
        `\r\nContent-Type: video/mp4\r\nContent-Range: bytes ${range}/100000\r\n\r\n`
      expect(body.toString('latin1').split(`\r\n--${boundary}`).slice(1, -1)).toEqual(
        wanted.map(([first, last]) => `${head(`${first}-${last}`)}${bytes.toString('latin1', first, last + 1)}`),
      )
    })

    test('is a part under If-Range with its ETag, and all of what is there now under another one', async () => {
      const { key, etag, get } = await setup()
      const ranged = () => get({ range: 'bytes=10-19', 'if-range': etag })
      const part = await ranged()
      expect([part.status, part.headers['etag'], part.body]).toEqual([206, etag, bytes.subarray(10, 20)])
      const later = someBytes(1000)
      await app.files.put(key, later, { type: 'video/mp4' })
      const whole = await ranged()
      expect([whole.status, whole.headers['content-length'], whole.headers['content-range']]).toEqual([
        200,
        '1000',
        undefined,
      ])
      expect(whole.body.equals(later)).toBe(true)
    })

    test('of a range behind its end is 416, with its size', async () => {
      const { get } = await setup()
      const { status, headers } = await get({ range: 'bytes=100000-' })
      expect([status, headers['content-range']]).toEqual([416, 'bytes */100000'])
    })

    test.each([undefined, 'bytes=0-4', 'bytes=0-4,10-14'])(
      'that is given up while a hook still works on its answer ends no more than itself (%s)',
      async (range) => {
        const { key, get } = await setup()
        const asked = request(`${url}/media/${key}?slowly`, { headers: range === undefined ? {} : { range } })
        asked.on('error', () => {}).end()
        const { gone, reached } = hook
        await reached.promise
        asked.destroy()
        await gone.promise
        expect((await get({})).body.equals(bytes)).toBe(true)
      },
    )
  },
)
