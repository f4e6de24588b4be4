import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type * as helper from '../../src/upload/index.ts'
import type { AppFilesOptions } from '../../src/app/open-files.ts'
import type { DirectAccess } from '../../src/files/contract.ts'
import { s3Store } from '../../src/files/drivers/s3/s3-store.ts'
import { openService, sha256, type UploadService } from '../integration/http/uploads/upload-service.ts'
import { makePageBucket, type PageBucket } from '../servers/page-bucket.ts'
import { findRadosgw } from '../servers/radosgw.ts'
import { missingBrowser, openBrowser } from './browser.ts'
import { bundleUpload } from './upload-bundle.ts'
import { expectStored, madeBytes, openUploadPage, uploadRoutes, type UploadWindow as Window } from './upload-page.ts'

const mb = 1024 * 1024
const ready = missingBrowser() === undefined && findRadosgw() !== undefined

describe.skipIf(!ready)('the upload helper in Chromium, straight to S3', () => {
  let browser: Browser
  let bucket: PageBucket
  let code = ''
  beforeAll(async () => {
    browser = await openBrowser()
    bucket = await makePageBucket()
    code = await bundleUpload()
  })
  afterAll(() => browser?.close())

  /** What the page has sent, once it was answered: with which status, by whom, and how many at a time. */
  interface Puts {
    readonly statuses: number[]
    readonly origins: Set<string>
    /** The names of their headers. */
    readonly headers: string[][]
    /** How long their addresses hold. */
    readonly seconds: number[]
    most: number
  }

  async function setup(
    files: AppFilesOptions = {},
  ): Promise<{ readonly service: UploadService; readonly page: Page; readonly puts: Puts }> {
    const parts = { from: '6MB', bytes: '5MB' } as const
    const service = await openService({ parts }, { routes: uploadRoutes(code), storageUrl: bucket.url, files })
    await bucket.letIn(service.url)
    const page = await openUploadPage(browser, service.url)
    const puts: Puts = { statuses: [], origins: new Set(), headers: [], seconds: [], most: 0 }
    let now = 0
    const isPut = (request: { method(): string }): boolean => request.method() === 'PUT'
    page.on('request', (request) => {
      if (!isPut(request)) return
      puts.most = Math.max(puts.most, ++now)
      puts.headers.push(Object.keys(request.headers()))
      puts.seconds.push(Number(new URL(request.url()).searchParams.get('X-Amz-Expires')))
    })
    page.on('response', (response) => {
      if (!isPut(response.request())) return
      now--
      puts.statuses.push(response.status())
      puts.origins.add(new URL(response.url()).origin)
    })
    page.on('requestfailed', (request) => isPut(request) && now--)
    return { service, page, puts }
  }

  test('sends a small file in one request, which the service sees nothing of', async () => {
    const { service, page, puts } = await setup()
    const done = await page.evaluate(async () => {
      const { uploadFile, makeFile } = globalThis as unknown as Window
      return uploadFile<{ readonly asset: number }>('/uploads', makeFile(1000)).done
    })
    expect(done).toMatchObject({ file: { name: 'a.bin', size: 1000 }, result: { asset: 1 } })
    expect([puts.statuses, [...puts.origins]]).toEqual([[200], [bucket.origin]])
    await expectStored(service, 1000)
  })

  test('sends a large file in parts, several at a time, and tells how far it is', async () => {
    const { service, page, puts } = await setup()
    const size = 22 * mb + 3
    const told = await page.evaluate(async (bytes) => {
      const { uploadFile, makeFile } = globalThis as unknown as Window
      const told: number[] = []
      await uploadFile('/uploads', makeFile(bytes), { parallel: 3, onProgress: ({ sent }) => told.push(sent) }).done
      return told
    }, size)
    expect([puts.statuses, [...puts.origins], puts.most]).toEqual([[200, 200, 200, 200, 200], [bucket.origin], 3])
    expect([told.at(-1), Math.max(...told)]).toEqual([size, size])
    await expectStored(service, size)
  })

  test('has small and large files checked by the bucket when it is asked to', async () => {
    const { service, page, puts } = await setup()
    const sums = await page.evaluate(
      async (sizes) => {
        const { uploadFile, makeFile } = globalThis as unknown as Window
        const options = { checksums: true, remember: false }
        const stored = await Promise.all(sizes.map((size) => uploadFile('/uploads', makeFile(size), options).done))
        return stored.map(({ file }) => file.sha256)
      },
      [1000, 16 * mb],
    )
    expect(sums).toEqual([sha256(madeBytes(1000)), null])
    expect(puts.statuses).toEqual([200, 200, 200, 200, 200])
    expect(puts.headers.every((names) => names.some((name) => /^x-amz-(content|checksum)-sha256$/.test(name)))).toBe(
      true,
    )
    expect((await service.rows()).length).toBe(2)
  })

  test('goes on by new addresses when the bucket says that those it had have expired', async () => {
    const store = await s3Store({ url: bucket.url })
    const { direct } = store
    // Those that are asked for first.
    let expires: number | undefined = 1000
    const shortLived: DirectAccess = {
      signGet: (...given) => direct!.signGet(...given),
      signPut: (...given) => direct!.signPut(...given),
      signPost: (...given) => direct!.signPost(...given),
      checksumsOfPuts: () => direct!.checksumsOfPuts(),
      checksumsOfParts: () => direct!.checksumsOfParts(),
      signPart: (upload, number, options) =>
        direct!.signPart(upload, number, { ...options, expires: expires ?? options.expires }),
    }
    const { service, page, puts } = await setup({
      store: new Proxy(store, {
        get(target, name) {
          const value: unknown = name === 'direct' ? shortLived : Reflect.get(target, name, target)
          return typeof value === 'function' ? value.bind(target) : value
        },
      }),
    })
    const size = 22 * mb
    await page.route(`${bucket.origin}/**`, async (route) => {
      if (route.request().method() === 'PUT' && expires !== undefined) {
        const later = await direct!.signGet('nothing', { expires })
        await vi.waitFor(async () => expect((await fetch(later)).status).toBe(403), { timeout: 20_000 })
        expires = undefined
      }
      await route.continue()
    })
    await page.evaluate(async (bytes) => {
      const { uploadFile, makeFile } = globalThis as unknown as Window
      await uploadFile('/uploads', makeFile(bytes), { parallel: 1 }).done
    }, size)
    // Four were signed together, of which one was tried. Its answer has no CORS headers here: the page does not see it.
    expect(puts.seconds).toEqual([1, 3600, 3600, 3600, 3600, 3600])
    expect(puts.statuses.filter((status) => status !== 403)).toEqual([200, 200, 200, 200, 200])
    await expectStored(service, size)
  })

  test('sends nothing while it is paused, and then no part again that had arrived', async () => {
    const { service, page, puts } = await setup()
    const size = 22 * mb
    // The third part is held on its way until the upload is paused.
    let seen = 0
    const held = Promise.withResolvers<void>()
    await page.route(`${bucket.origin}/**`, async (route) => {
      if (route.request().method() === 'PUT' && ++seen === 3) await held.promise
      await route.continue().catch(() => {})
    })
    await page.evaluate((bytes) => {
      const { uploadFile, makeFile } = globalThis as unknown as Window
      Object.assign(globalThis, { upload: uploadFile('/uploads', makeFile(bytes), { parallel: 1 }) })
    }, size)
    await vi.waitFor(() => expect([seen, puts.statuses]).toEqual([3, [200, 200]]), { timeout: 20_000 })
    await page.evaluate(() => (globalThis as unknown as { upload: helper.FileUpload }).upload.pause())
    held.resolve()
    await page.evaluate(() => fetch('/page').then((response) => response.text()))
    expect([seen, puts.statuses]).toEqual([3, [200, 200]])
    await page.evaluate(() => {
      const { upload } = globalThis as unknown as { upload: helper.FileUpload }
      upload.resume()
      return upload.done
    })
    expect([seen, puts.statuses]).toEqual([6, [200, 200, 200, 200, 200]])
    await expectStored(service, size)
  })

  test('goes on after a reload with the parts that the bucket has', async () => {
    const { service, page, puts } = await setup()
    const size = 22 * mb
    let seen = 0
    await page.route(`${bucket.origin}/**`, (route) =>
      // What comes after two parts never leaves.
      route.request().method() === 'PUT' && ++seen > 2 ? undefined : route.continue(),
    )
    const begin = (bytes: number): void => {
      const { uploadFile, makeFile } = globalThis as unknown as Window
      Object.assign(globalThis, { upload: uploadFile('/uploads', makeFile(bytes), { parallel: 1 }) })
    }
    await page.evaluate(begin, size)
    await vi.waitFor(() => expect([seen, puts.statuses]).toEqual([3, [200, 200]]), { timeout: 20_000 })
    await page.unroute(`${bucket.origin}/**`)
    await page.reload()
    await page.waitForFunction(() => 'uploadFile' in globalThis)
    await page.evaluate(begin, size)
    await page.evaluate(() => (globalThis as unknown as { upload: helper.FileUpload }).upload.done)
    // Of five parts two were there; the one that was on its way may have arrived when the page was left, unseen.
    expect(puts.statuses.length).toBeLessThanOrEqual(5)
    expect(new Set(puts.statuses)).toEqual(new Set([200]))
    await expectStored(service, size)
  })

  test('leaves nothing in the bucket when it is given up', async () => {
    const { service, page, puts } = await setup()
    let seen = 0
    await page.route(`${bucket.origin}/**`, (route) =>
      route.request().method() === 'PUT' && ++seen > 1 ? undefined : route.continue(),
    )
    await page.evaluate((bytes) => {
      const { uploadFile, makeFile } = globalThis as unknown as Window
      const upload = uploadFile('/uploads', makeFile(bytes), { parallel: 1 })
      Object.assign(globalThis, { upload, failed: upload.done.catch((reason: Error) => reason.name) })
    }, 12 * mb)
    await vi.waitFor(() => expect([seen, puts.statuses]).toEqual([2, [200]]), { timeout: 20_000 })
    const error = await page.evaluate(async () => {
      const { upload, failed } = globalThis as unknown as { upload: helper.FileUpload; failed: Promise<string> }
      await upload.abort()
      return failed
    })
    expect(error).toBe('AbortError')
    const waiting = []
    for await (const { id } of service.app.files.uploads.list('')) waiting.push(id)
    expect([waiting, await service.rows()]).toEqual([[], []])
  })
})
