import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import type { FastifyInstance } from 'fastify'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import type * as helper from '../../src/upload/index.ts'
import type { Size } from '../../src/core/size.ts'
import { Crc32c } from '../../src/files/index.ts'
import { openService, sha256, type UploadService } from '../integration/http/uploads/upload-service.ts'
import { missingBrowser, openBrowser } from './browser.ts'
import { bundleUpload } from './upload-bundle.ts'
import {
  expectStored,
  madeBytes,
  openUploadPage,
  uploadRoutes,
  watchSigned,
  type UploadWindow as Window,
} from './upload-page.ts'

const mb = 1024 * 1024

describe.skipIf(missingBrowser())('the upload helper in Chromium', () => {
  let browser: Browser
  let code = ''
  beforeAll(async () => {
    browser = await openBrowser()
    code = await bundleUpload()
  })
  afterAll(() => browser.close())

  test('is less than 5 KB', () => {
    expect(gzipSync(code, { level: 9 }).length).toBeLessThan(5 * 1024)
  })

  interface Traffic {
    /** Requests that bring bytes. */
    puts: number
    /** Answers those instead of the service, with a status. */
    fail: ((put: number, url: string) => number | undefined) | undefined
    /** The addresses of parts that the service has signed. */
    signed: ReadonlySet<string>
    /** Holds them up. */
    hold: Promise<void> | undefined
    /** Breaks the next answer off that says that an upload is completed. */
    cut: boolean
  }

  async function setup(
    parts: { readonly from: Size; readonly bytes: Size } = { from: '1MB', bytes: '512KB' },
    options: Parameters<typeof openService>[0] = {},
  ): Promise<{ readonly service: UploadService; readonly page: Page; readonly traffic: Traffic }> {
    const traffic: Traffic = { puts: 0, fail: undefined, signed: new Set(), hold: undefined, cut: false }
    const routes = (fastify: FastifyInstance): void => {
      uploadRoutes(code)(fastify)
      traffic.signed = watchSigned(fastify)
      fastify.addHook('onRequest', async (request, reply) => {
        if (request.method !== 'PUT') return
        traffic.puts++
        const status = traffic.fail?.(traffic.puts, request.url)
        await traffic.hold
        if (status !== undefined) return reply.code(status).send()
      })
      fastify.addHook('onSend', async (request, reply, payload) => {
        if (!traffic.cut || !request.url.endsWith('/complete')) return payload
        traffic.cut = false
        reply.removeHeader('content-length')
        return Readable.from(
          (async function* () {
            yield '{'
            throw new Error('The line is cut.')
          })(),
        )
      })
    }
    // Hooks hold for what is added after them.
    const service = await openService({ ...options, parts }, { routes })
    return { service, page: await openUploadPage(browser, service.url), traffic }
  }

  test('uploads a small file in one request', async () => {
    const { service, page, traffic } = await setup()
    const done = await page.evaluate(async () => {
      const { uploadFile, makeFile } = globalThis as unknown as Window
      return uploadFile<{ readonly asset: number }>('/uploads', makeFile(1000)).done
    })
    expect(done).toMatchObject({ file: { name: 'a.bin', size: 1000 }, result: { asset: 1 } })
    expect(traffic.puts).toBe(1)
    await expectStored(service, 1000)
  })

  test('uploads a large file in parallel parts, with their checksums, and tells how far it is', async () => {
    const { service, page, traffic } = await setup()
    const size = 5 * mb + 3
    const told = await page.evaluate(async (bytes) => {
      const { uploadFile, makeFile } = globalThis as unknown as Window
      const told: number[] = []
      await uploadFile('/uploads', makeFile(bytes), { checksums: true, onProgress: ({ sent }) => told.push(sent) }).done
      return told
    }, size)
    expect(traffic.puts).toBe(11)
    expect(told.at(-1)).toBe(size)
    expect(Math.max(...told)).toBe(size)
    expect(new Set(told).size).toBeGreaterThan(5)
    await expectStored(service, size)
  })

  test('has a small file bound to its checksum, when it is asked to, which the service then knows', async () => {
    const { service, page } = await setup()
    const sum = await page.evaluate(async () => {
      const { uploadFile, makeFile } = globalThis as unknown as Window
      return (await uploadFile('/uploads', makeFile(1000), { checksums: true }).done).file.sha256
    })
    expect(sum).toBe(sha256(madeBytes(1000)))
    await expectStored(service, 1000)
  })

  test('has a larger file in one request bound to its CRC-32C, of which it holds no more than a block', async () => {
    const { service, page, traffic } = await setup({ from: '64MB', bytes: '8MB' })
    const size = 16 * mb + 3
    const sum = await page.evaluate(async (bytes) => {
      const { uploadFile, makeFile } = globalThis as unknown as Window
      return (await uploadFile('/uploads', makeFile(bytes), { checksums: true }).done).file.crc32c
    }, size)
    expect(sum).toBe(new Crc32c().update(madeBytes(size)).digest('hex'))
    expect(traffic.puts).toBe(1)
    await expectStored(service, size)
  })

  test('tries again what fails, and asks for new addresses when they do not hold', async () => {
    const { service, page, traffic } = await setup()
    traffic.fail = (put) => (put === 2 ? 503 : put === 3 ? 403 : put === 5 ? 500 : undefined)
    await page.evaluate(async (bytes) => {
      const { uploadFile, makeFile } = globalThis as unknown as Window
      await uploadFile('/uploads', makeFile(bytes)).done
    }, 3 * mb)
    expect(traffic.puts).toBe(9)
    await expectStored(service, 3 * mb)
  })

  test('asks again when the answer breaks off', async () => {
    const { service, page, traffic } = await setup()
    traffic.cut = true
    const done = await page.evaluate(async () => {
      const { uploadFile, makeFile } = globalThis as unknown as Window
      return uploadFile('/uploads', makeFile(1000)).done
    })
    expect([done.file.size, traffic.cut]).toEqual([1000, false])
    await expectStored(service, 1000)
  })

  test.each([
    ['others', 403],
    ['Google', 400],
  ])(
    'goes on when its addresses have expired, which %s say by %i, however often, and tries no other one of them',
    async (_, status) => {
      const { service, page, traffic } = await setup({ from: '1MB', bytes: '64KB' })
      const expired = new Set<string>()
      const refused: number[] = []
      let accepted = 0
      traffic.fail = (_put, url) => {
        if (expired.has(url)) {
          refused.push(expired.size)
          return status
        }
        // All that there are by now.
        if (++accepted % 8 === 0) for (const one of traffic.signed) expired.add(one)
        return undefined
      }
      await page.evaluate(async (bytes) => {
        const { uploadFile, makeFile } = globalThis as unknown as Window
        await uploadFile('/uploads', makeFile(bytes)).done
      }, 4 * mb)
      expect(accepted).toBe(64)
      // Of each 16 that were signed half have expired. Each worker may have one of them on its way when the first is refused.
      expect(new Set(refused).size).toBeGreaterThanOrEqual(5)
      for (const batch of new Set(refused))
        expect(refused.filter((size) => size === batch).length).toBeLessThanOrEqual(4)
      await expectStored(service, 4 * mb)
    },
  )

  test('asks for another address of a file in one request when that has expired', async () => {
    const { service, page, traffic } = await setup()
    traffic.fail = (put) => (put === 1 ? 403 : put === 2 ? 400 : undefined)
    await page.evaluate(async () => {
      const { uploadFile, makeFile } = globalThis as unknown as Window
      await uploadFile('/uploads', makeFile(1000)).done
    })
    expect(traffic.puts).toBe(3)
    await expectStored(service, 1000)
  })

  test('asks for another address when no answer is seen, for some services hide from pages that one has expired', async () => {
    const { service, page, traffic } = await setup()
    const tried: string[] = []
    await page.route('**/_files?*', async (route) => {
      tried.push(route.request().url())
      // As a browser does with an answer that has no CORS headers.
      if (tried.filter((url) => url === tried[0]).length === tried.length) return route.abort()
      return route.continue()
    })
    await page.evaluate(async () => {
      const { uploadFile, makeFile } = globalThis as unknown as Window
      await uploadFile('/uploads', makeFile(1000)).done
    })
    expect([tried.length, new Set(tried).size, traffic.puts]).toEqual([2, 2, 1])
    await expectStored(service, 1000)
  })

  test('fails where the storage refuses all addresses, and goes on from there once it does not', async () => {
    const { service, page, traffic } = await setup()
    traffic.fail = (put) => (put > 2 ? 403 : undefined)
    const send = (bytes: number): Promise<string> => {
      const { uploadFile, makeFile } = globalThis as unknown as Window
      return uploadFile('/uploads', makeFile(bytes), { parallel: 1 }).done.then(
        () => 'stored',
        (error: helper.UploadError) => `${error.status} ${error.message}`,
      )
    }
    expect(await page.evaluate(send, 3 * mb)).toBe('403 The storage has refused bytes (403).')
    // Of four addresses of the third part none was taken.
    expect(traffic.puts).toBe(6)
    traffic.fail = undefined
    await page.reload()
    await page.waitForFunction(() => 'uploadFile' in globalThis)
    expect(await page.evaluate(send, 3 * mb)).toBe('stored')
    expect(traffic.puts).toBe(10)
    await expectStored(service, 3 * mb)
  })

  test('goes on after its user has logged in again', async () => {
    let user: string | false = 'ada'
    const { service, page, traffic } = await setup({ from: '1MB', bytes: '512KB' }, { authorize: () => user })
    traffic.fail = (put) => {
      if (put === 2) user = false
      return undefined
    }
    const send = (bytes: number): Promise<string | number> => {
      const { uploadFile, makeFile } = globalThis as unknown as Window
      return uploadFile('/uploads', makeFile(bytes)).done.then(
        () => 'stored',
        (error: helper.UploadError) => error.status,
      )
    }
    expect(await page.evaluate(send, 3 * mb)).toBe(403)
    user = 'ada'
    expect(await page.evaluate(send, 3 * mb)).toBe('stored')
    expect(traffic.puts).toBe(6)
    await expectStored(service, 3 * mb)
  })

  test('gives up what is refused for good', async () => {
    const { page, traffic } = await setup()
    traffic.fail = () => 400
    const status = await page.evaluate(async (bytes) => {
      const { uploadFile, makeFile } = globalThis as unknown as Window
      return uploadFile('/uploads', makeFile(bytes)).done.then(
        () => 200,
        (error: helper.UploadError) => error.status,
      )
    }, 3 * mb)
    expect(status).toBe(400)
  })

  test('sends nothing while it is paused, and goes on where it was', async () => {
    const { service, page, traffic } = await setup()
    const held = Promise.withResolvers<void>()
    traffic.fail = (put) => {
      if (put === 4) traffic.hold = held.promise
      return undefined
    }
    await page.evaluate((bytes) => {
      const { uploadFile, makeFile } = globalThis as unknown as Window
      Object.assign(globalThis, { upload: uploadFile('/uploads', makeFile(bytes), { parallel: 1 }) })
    }, 4 * mb)
    await expect.poll(() => traffic.puts).toBe(4)
    await page.evaluate(() => (globalThis as unknown as { upload: helper.FileUpload }).upload.pause())
    held.resolve()
    traffic.hold = undefined
    // The next look at the service comes after all that was on its way.
    await page.evaluate(() => fetch('/page').then((response) => response.text()))
    expect(traffic.puts).toBe(4)
    await page.evaluate(() => {
      const { upload } = globalThis as unknown as { upload: helper.FileUpload }
      upload.resume()
      return upload.done
    })
    // Of eight parts three were there, and one was on its way: that arrived nevertheless if it was quicker than the end of its connection.
    expect([8, 9]).toContain(traffic.puts)
    await expectStored(service, 4 * mb)
  })

  test('goes on after a reload, without sending again what is there', async () => {
    const { service, page, traffic } = await setup()
    const held = Promise.withResolvers<void>()
    traffic.fail = (put) => {
      if (put === 4) traffic.hold = held.promise
      return undefined
    }
    const begin = (bytes: number): void => {
      const { uploadFile, makeFile } = globalThis as unknown as Window
      Object.assign(globalThis, { upload: uploadFile('/uploads', makeFile(bytes), { parallel: 1 }) })
    }
    await page.evaluate(begin, 4 * mb)
    await expect.poll(() => traffic.puts).toBe(4)
    await page.reload()
    held.resolve()
    traffic.hold = undefined
    await page.waitForFunction(() => 'uploadFile' in globalThis)
    await page.evaluate(begin, 4 * mb)
    await page.evaluate(() => (globalThis as unknown as { upload: helper.FileUpload }).upload.done)
    expect(traffic.puts).toBeLessThanOrEqual(9)
    await expectStored(service, 4 * mb)
    expect(await page.evaluate(() => localStorage.length)).toBe(0)
  })

  test('does not take bytes without a name for others of the same size', async () => {
    const { service, page, traffic } = await setup()
    const held = Promise.withResolvers<void>()
    traffic.hold = held.promise
    const begin = (value: number): void => {
      const { uploadFile } = globalThis as unknown as Window
      const { done } = uploadFile('/uploads', new Blob([new Uint8Array(1000).fill(value)]))
      Object.assign(globalThis, { [`uploaded${value}`]: done })
    }
    for (const value of [1, 2]) {
      await page.evaluate(begin, value)
      await expect.poll(() => traffic.puts).toBe(value)
    }
    held.resolve()
    traffic.hold = undefined
    await page.evaluate(async () => {
      const { uploaded1, uploaded2 } = globalThis as unknown as Record<string, Promise<unknown>>
      await Promise.all([uploaded1, uploaded2])
    })
    const known = await page.evaluate(() => localStorage.length)
    const values: number[] = []
    for (const [key] of await service.rows()) {
      const { stream } = await service.app.files.get(key!)
      values.push(Buffer.concat(await stream.toArray())[0]!)
    }
    expect([values.sort(), known]).toEqual([[1, 2], 0])
  })

  test('leaves nothing behind when it is given up', async () => {
    const { service, page, traffic } = await setup()
    traffic.hold = new Promise(() => {})
    onTestFinished(() => void (traffic.hold = undefined))
    await page.evaluate((bytes) => {
      const { uploadFile, makeFile } = globalThis as unknown as Window
      const upload = uploadFile('/uploads', makeFile(bytes), { parallel: 1 })
      Object.assign(globalThis, { upload, failed: upload.done.catch((reason: Error) => reason.name) })
    }, 4 * mb)
    await expect.poll(() => traffic.puts).toBe(1)
    const error = await page.evaluate(async () => {
      const { upload, failed } = globalThis as unknown as { upload: helper.FileUpload; failed: Promise<string> }
      await upload.abort()
      return failed
    })
    expect(error).toBe('AbortError')
    expect([await service.keys(), await service.rows(), await page.evaluate(() => localStorage.length)]).toEqual([
      [],
      [],
      0,
    ])
  })
})
