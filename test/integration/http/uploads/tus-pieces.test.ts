import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { PlimsollError } from '../../../../src/core/errors.ts'
import { diskStore } from '../../../../src/files/drivers/disk/disk-store.ts'
import { Uploads, type FileStore, type MultipartUploads } from '../../../../src/files/index.ts'
import { toUploadSpec } from '../../../../src/http/files/upload-options.ts'
import { append, createPieces, joinPieces, offsetOf, startUpload } from './tus-requests.ts'
import { openService, query } from './upload-service.ts'

/** A folder, with other ways to do some things. */
async function storeWith({
  compose,
  complete,
}: {
  readonly compose?: (store: FileStore) => FileStore['compose']
  readonly complete?: (uploads: MultipartUploads) => MultipartUploads['complete']
}): Promise<FileStore> {
  const folder = await mkdtemp(join(tmpdir(), 'plimsoll-pieces-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const store = diskStore({ folder })
  const uploads = overlaid(store.uploads, complete === undefined ? {} : { complete: complete(store.uploads) })
  return overlaid(store, { uploads, ...(compose === undefined ? {} : { compose: compose(store) }) })
}

function overlaid<T extends object>(target: T, others: Partial<T>): T {
  return new Proxy(target, {
    get(under, name) {
      if (name in others) return others[name as keyof T]
      const value: unknown = Reflect.get(under, name, under)
      return typeof value === 'function' ? value.bind(under) : value
    },
  })
}

test('of two requests at once that make one upload of the same pieces both are told of the same', async () => {
  const both = Promise.withResolvers<void>()
  let calls = 0
  const store = await storeWith({
    compose:
      (folder) =>
      async (...given) => {
        if (++calls === 2) both.resolve()
        await both.promise
        return folder.compose(...given)
      },
  })
  const service = await openService({}, { files: { store } })
  const pieces = await createPieces(service, ['hel', 'lo'])
  const answers = await Promise.all([joinPieces(service, pieces), joinPieces(service, pieces)])
  expect(answers.map(({ status }) => status)).toEqual([201, 201])
  expect(new Set(answers.map(({ headers }) => headers.get('location'))).size).toBe(1)
  expect([service.stored.length, (await service.rows()).length, await service.jobs()]).toEqual([1, 1, 1])
  expect(await service.keys()).toEqual([(await service.rows())[0]![0]])
  for (const piece of pieces) expect(await offsetOf(piece)).toBe(-404)
})

test('who asks again for the upload that pieces have become is told of it, and others of what they make themselves', async () => {
  const service = await openService()
  const pieces = await createPieces(service, ['hel', 'lo'])
  const location = (await joinPieces(service, pieces)).headers.get('location')
  const again = await joinPieces(service, pieces)
  expect([again.status, again.headers.get('location')]).toEqual([201, location])
  expect([service.stored.length, (await service.keys()).length]).toEqual([1, 1])
  expect((await joinPieces(service, pieces.toReversed())).status).toBe(404)
  const others = await createPieces(service, ['hel', 'lo'])
  expect((await joinPieces(service, others)).headers.get('location')).not.toBe(location)
  expect((await service.rows()).length).toBe(2)
})

test('bytes that a process joins after another one has stored the same upload do not stay', async () => {
  const service = await openService()
  const { postgres, files } = service.app
  const urls = await createPieces(service, ['hel', 'lo'])
  const composing = Promise.withResolvers<void>()
  const stored = Promise.withResolvers<void>()
  const late: FileStore = {
    ...files,
    async compose(_parts, to, options) {
      composing.resolve()
      await stored.promise
      return files.put(to, Buffer.from('hello'), options)
    },
  }
  const spec = toUploadSpec('/uploads', { accept: ['*/*'], maxBytes: '1MB', onStored: () => expect.fail('Twice.') })
  const uploads = new Uploads({ postgres, store: late, direct: files.direct })
  const pieces = urls.map((url) => url.slice(-16))
  const told = { name: 'file', type: 'application/octet-stream' }
  const joined = uploads.join(spec, { ...told, pieces, owner: undefined, ownerOf: async () => undefined })
  await composing.promise
  const answer = await joinPieces(service, urls)
  stored.resolve()
  const { id, state } = await joined
  expect([`/uploads/${id}`, state]).toEqual([answer.headers.get('location'), 'stored'])
  expect(await service.keys()).toEqual([(await service.rows())[0]![0]])
})

/** A service whose storage fails once, when it is to make an object of the bytes of a piece. */
async function setup() {
  let fails = true
  const store = await storeWith({
    complete:
      (uploads) =>
      async (...given) => {
        if (!fails) return uploads.complete(...given)
        fails = false
        throw new PlimsollError('PLIMSOLL_STORAGE_UNREACHABLE', 'It is away.')
      },
  })
  const service = await openService({}, { files: { store } })
  const piece = await startUpload(service, 5, { 'upload-concat': 'partial' })
  expect((await append(piece, 0, Buffer.from('hello'))).status).toBe(503)
  return { service, piece }
}

test('a piece that the storage has failed with behind its last byte is whole once its client asks how much there is', async () => {
  const { service, piece } = await setup()
  expect(await offsetOf(piece)).toBe(5)
  expect(await query(service.app.postgres, 'select state from plimsoll.uploads')).toEqual([['whole']])
  expect((await joinPieces(service, [piece])).status).toBe(201)
  expect((await service.rows()).length).toBe(1)
})

test('such a piece is whole, too, once it is to be joined', async () => {
  const { service, piece } = await setup()
  expect((await joinPieces(service, [piece])).status).toBe(201)
  expect((await service.rows()).length).toBe(1)
})
