import type { FastifyInstance } from 'fastify'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { gcsStore } from '../../src/files/drivers/gcs/gcs-store.ts'
import { Crc32c } from '../../src/files/index.ts'
import type * as helper from '../../src/upload/index.ts'
import { openService, sha256 } from '../integration/http/uploads/upload-service.ts'
import { startGoogleStorage } from '../servers/google-storage.ts'
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

describe.skipIf(missingBrowser() !== undefined)('the upload helper in Chromium, straight to Google', () => {
  let browser: Browser
  let code = ''
  beforeAll(async () => {
    browser = await openBrowser()
    code = await bundleUpload()
  })
  afterAll(() => browser?.close())

  async function setup(addHooks?: (fastify: FastifyInstance) => void) {
    const google = await startGoogleStorage()
    onTestFinished(() => google.stop())
    const store = await gcsStore({ client: google.client(), bucket: google.bucket })
    const routes = (fastify: FastifyInstance): void => {
      addHooks?.(fastify)
      uploadRoutes(code)(fastify)
    }
    const parts = { from: '6MB', bytes: '5MB' } as const
    const service = await openService({ parts }, { routes, files: { store } })
    google.letIn(service.url)
    const page = await openUploadPage(browser, service.url)
    const statuses: number[] = []
    page.on('response', (response) => {
      if (response.request().method() !== 'PUT') return
      expect(new URL(response.url()).origin).toBe(google.endpoint)
      statuses.push(response.status())
    })
    return { service, page, statuses, google }
  }

  test('sends a small file in one request, by an address whose signature is checked', async () => {
    const { service, page, statuses } = await setup()
    const done = await page.evaluate(async () => {
      const { uploadFile, makeFile } = globalThis as unknown as Window
      return uploadFile<{ readonly asset: number }>('/uploads', makeFile(1000), { checksums: true }).done
    })
    // Which the service has verified: no address can be bound to it here.
    const sum = sha256(madeBytes(1000))
    expect(done).toMatchObject({ file: { name: 'a.bin', size: 1000, sha256: sum }, result: { asset: 1 } })
    expect(statuses).toEqual([200])
    await expectStored(service, 1000)
  })

  test('goes on by new addresses when all that it had have expired', async () => {
    let signed: ReadonlySet<string>
    const expired = new Set<string>()
    const { service, page, statuses, google } = await setup((fastify) => (signed = watchSigned(fastify, expired)))
    const size = 26 * mb
    // Once two parts have arrived, no address holds that was asked for before; and again after two more.
    let taken = 0
    google.expire((target) => {
      if (expired.has(`${google.endpoint}${target}`)) return true
      if (++taken % 2 === 0) for (const url of signed) expired.add(url)
      return false
    })
    await page.evaluate(async (bytes) => {
      const { uploadFile, makeFile } = globalThis as unknown as Window
      await uploadFile('/uploads', makeFile(bytes), { parallel: 1 }).done
    }, size)
    // Of six parts.
    expect(statuses).toEqual([200, 200, 400, 200, 200, 400, 200, 200])
    await expectStored(service, size)
  })

  test('sends parts without their SHA-256s, which Google does not check, when they are wished for', async () => {
    const { service, page, statuses } = await setup()
    const size = 11 * mb + 3
    await page.evaluate(async (bytes) => {
      const { uploadFile, makeFile } = globalThis as unknown as Window
      await uploadFile('/uploads', makeFile(bytes), { checksums: true, retries: 0 }).done
    }, size)
    expect(statuses).toEqual([200, 200, 200])
    await expectStored(service, size)
  })

  test('has the parts of a large file bound to their CRC-32Cs, when it is asked to: none comes changed', async () => {
    const { service, page, statuses, google } = await setup()
    const size = 16 * mb + 3
    let seen = 0
    await page.route(`${google.endpoint}/**`, (route) => {
      const request = route.request()
      if (request.method() !== 'PUT' || ++seen > 1) return route.continue()
      const changed = Buffer.from(request.postDataBuffer()!)
      changed[1000]! ^= 1
      return route.continue({ postData: changed })
    })
    const sum = await page.evaluate(async (bytes) => {
      const { uploadFile, makeFile } = globalThis as unknown as Window
      return (await uploadFile('/uploads', makeFile(bytes), { checksums: true, parallel: 1 }).done).file.crc32c
    }, size)
    expect(sum).toBe(new Crc32c().update(madeBytes(size)).digest('hex'))
    expect(statuses).toEqual([400, 200, 200, 200, 200])
    await expectStored(service, size)
  })

  test('sends a large file in parts, and after a reload those that the bucket lacks', async () => {
    const { service, page, statuses, google } = await setup()
    const size = 11 * mb + 3
    let seen = 0
    await page.route(`${google.endpoint}/**`, (route) =>
      // What comes after one part never leaves.
      route.request().method() === 'PUT' && ++seen > 1 ? undefined : route.continue(),
    )
    const begin = (bytes: number): void => {
      const { uploadFile, makeFile } = globalThis as unknown as Window
      Object.assign(globalThis, { upload: uploadFile('/uploads', makeFile(bytes), { parallel: 1 }) })
    }
    await page.evaluate(begin, size)
    await vi.waitFor(() => expect([seen, statuses]).toEqual([2, [200]]), { timeout: 20_000 })
    await page.unroute(`${google.endpoint}/**`)
    await page.reload()
    await page.waitForFunction(() => 'uploadFile' in globalThis)
    await page.evaluate(begin, size)
    await page.evaluate(() => (globalThis as unknown as { upload: helper.FileUpload }).upload.done)
    // Of three parts one was there; the one that was on its way may have arrived when the page was left, unseen.
    expect(statuses.length).toBeLessThanOrEqual(3)
    expect(new Set(statuses)).toEqual(new Set([200]))
    await expectStored(service, size)
  })
})
