import { mkdtemp, rm } from 'node:fs/promises'
import { request as httpRequest } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { PlimsollError } from '../../../../src/core/errors.ts'
import { diskStore } from '../../../../src/files/drivers/disk/disk-store.ts'
import type { FileStore, MultipartUploads } from '../../../../src/files/index.ts'
import { pattern } from '../files/file-service.ts'
import { append, offsetOf, resumable, startUpload } from './tus-requests.ts'
import { openService, sha256 } from './upload-service.ts'

const mb = 1024 * 1024
const parts = { bytes: '1MB' } as const

/** A store whose parts are there, and acknowledged only when `safe` says so of their numbers. */
async function storeOf(
  safe: (number: number) => Promise<void>,
): Promise<{ readonly store: FileStore; readonly there: number[] }> {
  const folder = await mkdtemp(join(tmpdir(), 'plimsoll-overlap-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const store = diskStore({ folder })
  const there: number[] = []
  const uploads = new Proxy(store.uploads, {
    get: (target, name) => {
      if (name !== 'putPart') return (Reflect.get(target, name) as () => void).bind(target)
      const putPart: MultipartUploads['putPart'] = async (upload, number, ...rest) => {
        const part = await target.putPart(upload, number, ...rest)
        there.push(number)
        await safe(number)
        return part
      }
      return putPart
    },
  })
  const watched = new Proxy(store, {
    get: (target, name) => {
      if (name === 'uploads') return uploads
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
  return { store: watched, there }
}

test('the next part of an append comes while one is made safe, but not two, and none counts before those ahead of it', async () => {
  const gate = Promise.withResolvers<void>()
  const { store, there } = await storeOf(async (number) => (number === 1 ? gate.promise : undefined))
  const service = await openService({ parts }, { files: { store } })
  const bytes = pattern(4 * mb)
  const url = await startUpload(service, bytes.length)
  const appending = append(url, 0, bytes)
  await expect.poll(() => there).toEqual([1, 2])
  expect(await offsetOf(url)).toBe(0)
  gate.resolve()
  expect((await appending).status).toBe(204)
  expect(there).toEqual([1, 2, 3, 4])
  const { stream } = await service.app.files.get((await service.rows())[0]![0]!)
  expect(sha256(Buffer.concat(await stream.toArray()))).toBe(sha256(bytes))
})

test('a part that is being made safe when the connection breaks counts', async () => {
  const gate = Promise.withResolvers<void>()
  const { store, there } = await storeOf(() => gate.promise)
  const service = await openService({ parts }, { files: { store } })
  const url = await startUpload(service, 4 * mb)
  const sending = httpRequest(url, {
    method: 'PATCH',
    headers: {
      ...resumable,
      'content-type': 'application/offset+octet-stream',
      'content-length': 4 * mb,
      'upload-offset': 0,
    },
  })
  sending.on('error', () => {})
  sending.write(pattern(1.5 * mb))
  await expect.poll(() => there).toEqual([1])
  sending.destroy()
  gate.resolve()
  await expect.poll(() => offsetOf(url)).toBe(mb)
})

test.each([1, 2, 4])('what comes behind part %i, which fails, does not count, and comes again', async (failing) => {
  let fails = true
  const { store } = await storeOf(async (number) => {
    if (!fails || number !== failing) return
    fails = false
    throw new PlimsollError('PLIMSOLL_STORAGE_FULL', 'There is no room.')
  })
  const service = await openService({ parts }, { files: { store } })
  const bytes = pattern(4 * mb + 10)
  const url = await startUpload(service, bytes.length)
  expect((await append(url, 0, bytes).catch(() => undefined))?.status ?? 507).toBe(507)
  expect(await offsetOf(url)).toBe((failing - 1) * mb)
  expect((await append(url, (failing - 1) * mb, bytes.subarray((failing - 1) * mb))).status).toBe(204)
  const { stream } = await service.app.files.get((await service.rows())[0]![0]!)
  expect(sha256(Buffer.concat(await stream.toArray()))).toBe(sha256(bytes))
})
