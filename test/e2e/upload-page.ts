import type { FastifyInstance } from 'fastify'
import type { Browser, Page } from 'playwright-core'
import { expect, onTestFinished } from 'vitest'
import type * as helper from '../../src/upload/index.ts'
import { sha256, type UploadService } from '../integration/http/uploads/upload-service.ts'

const page = `<!doctype html><script type="module">
  import { uploadFile } from '/upload.js'
  Object.assign(window, {
    uploadFile,
    makeFile: (size) => new File([Uint8Array.from({ length: size }, (_, at) => (at * 7) % 251)], 'a.bin', { type: 'application/octet-stream', lastModified: 1 }),
  })
</script>`

/** What the page has. */
export interface UploadWindow {
  readonly uploadFile: typeof helper.uploadFile
  readonly makeFile: (size: number) => File
}

/** Bytes as the page makes them. */
export function madeBytes(size: number): Buffer {
  return Buffer.from(Uint8Array.from({ length: size }, (_, at) => (at * 7) % 251))
}

/** The routes of a page that has the browser helper, whose code is given. */
export function uploadRoutes(code: string): (fastify: FastifyInstance) => void {
  return (fastify) => {
    fastify.get('/page', (_, reply) => reply.type('text/html').send(page))
    fastify.get('/upload.js', (_, reply) => reply.type('text/javascript').send(code))
  }
}

/** Keeps the addresses of parts that a service signs. What is signed again within a second may be the same address, which has not expired. */
export function watchSigned(fastify: FastifyInstance, expired?: Set<string>): ReadonlySet<string> {
  const signed = new Set<string>()
  fastify.addHook('onSend', async ({ url }, _, payload) => {
    if (!url.endsWith('/parts')) return
    const { parts = [] } = JSON.parse(String(payload)) as { readonly parts?: readonly { readonly url: string }[] }
    for (const { url: address } of parts) {
      signed.add(address)
      expired?.delete(address)
    }
  })
  return signed
}

/** Opens that page. */
export async function openUploadPage(browser: Browser, url: string): Promise<Page> {
  const context = await browser.newContext()
  onTestFinished(() => context.close())
  const opened = await context.newPage()
  await opened.goto(`${url}/page`)
  await opened.waitForFunction(() => 'uploadFile' in globalThis)
  return opened
}

/** One file of the page is there, as the page has made it, and was told of once. */
export async function expectStored({ app, rows, jobs }: UploadService, size: number): Promise<void> {
  const [row, ...others] = await rows()
  expect(others).toEqual([])
  expect(await jobs()).toBe(1)
  const { stream } = await app.files.get(row![0]!)
  expect(sha256(Buffer.concat(await stream.toArray()))).toBe(sha256(madeBytes(size)))
}
