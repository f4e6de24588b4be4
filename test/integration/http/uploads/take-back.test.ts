import { expect, test } from 'vitest'
import { PlimsollError } from '../../../../src/core/errors.ts'
import { Uploads, type FileStore } from '../../../../src/files/index.ts'
import type { UploadOutcome, UploadSpec } from '../../../../src/files/uploads/types.ts'
import { toUploadSpec } from '../../../../src/http/files/upload-options.ts'
import type { Postgres } from '../../../../src/postgres/index.ts'
import { afterFirstSweep, begin, openService, query, send, type UploadService } from './upload-service.ts'

const text = Buffer.from('What was uploaded.\n')

/** An upload whose bytes are there, and other processes that complete it. */
async function setup(): Promise<{
  readonly service: UploadService
  readonly key: string
  /** Completes it in a process of its own, whose store and database may be others. */
  complete(
    onStored: UploadSpec['onStored'],
    parts?: { readonly store?: FileStore; readonly postgres?: Postgres },
  ): Promise<UploadOutcome>
}> {
  const service = await openService()
  const { app } = service
  const { body } = await begin(service, text)
  await send(service.url, body.put!, text)
  return {
    service,
    key: `uploads/${body.id}/notes.txt`,
    async complete(onStored, { store = app.files, postgres = app.postgres } = {}) {
      const spec = toUploadSpec('/uploads', { accept: ['*/*'], maxBytes: '1MB', onStored })
      const uploads = new Uploads({ postgres, store, direct: app.files.direct })
      return uploads.complete(await uploads.find(spec, body.id, undefined), spec)
    },
  }
}

const fail = (): never => {
  throw new Error('The quota is used up.')
}
const refuse = (): never => {
  throw new PlimsollError('PLIMSOLL_UPLOAD_REFUSED', 'There is a virus in it.')
}

test('a file that was taken back while another process had found it there is copied again by that', async () => {
  const { service, key, complete } = await setup()
  const { files } = service.app
  const [copied, found] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const takenBack = Promise.withResolvers<void>()
  const copy: FileStore['copy'] = async (...given) => {
    const made = await files.copy(...given)
    copied.resolve()
    await found.promise
    return made
  }
  const head: FileStore['head'] = async (asked, options) => {
    const object = await files.head(asked, options)
    if (asked === key && object !== undefined) {
      found.resolve()
      await takenBack.promise
    }
    return object
  }
  const first = complete(fail, { store: { ...files, copy } })
  await copied.promise
  let calls = 0
  const second = complete(() => void calls++, { store: { ...files, head } })
  await expect(first).rejects.toThrow('The quota is used up.')
  takenBack.resolve()
  expect((await second).file.key).toBe(key)
  expect([await service.keys(), calls]).toEqual([[key], 1])
})

/** A database whose first transaction that fails is heard of before whoever runs it is told, `until` then. */
function heldWhenFailed(
  postgres: Postgres,
  until: Promise<void>,
): { readonly postgres: Postgres; readonly failed: Promise<void> } {
  const { promise: failed, resolve } = Promise.withResolvers<void>()
  const transaction: Postgres['transaction'] = async (work, options) => {
    try {
      return await postgres.transaction(work, options)
    } catch (error) {
      resolve()
      await until
      throw error
    }
  }
  const held = new Proxy(postgres, {
    get(target, name) {
      if (name === 'transaction') return transaction
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  return { postgres: held, failed }
}

test('a file that another process has stored meanwhile is not taken back', async () => {
  const { service, key, complete } = await setup()
  const { promise: stored, resolve } = Promise.withResolvers<void>()
  const { postgres, failed } = heldWhenFailed(service.app.postgres, stored)
  const first = complete(fail, { postgres })
  await failed
  const { file } = await complete(() => 'stored')
  resolve()
  await expect(first).rejects.toThrow('The quota is used up.')
  expect([file.key, await service.keys()]).toEqual([key, [key]])
})

test('whoever refuses an upload that another process has stored meanwhile is told that it is stored', async () => {
  const { service, key, complete } = await setup()
  const { promise: stored, resolve } = Promise.withResolvers<void>()
  const { postgres, failed } = heldWhenFailed(service.app.postgres, stored)
  const first = complete(refuse, { postgres })
  await failed
  await complete(() => 'stored')
  resolve()
  expect(await first).toMatchObject({ file: { key }, result: 'stored' })
  expect(await service.keys()).toEqual([key])
})

test('what is left of a refused upload while the storage is away is removed by the next sweep', async () => {
  const { service, key, complete } = await setup()
  const { app } = service
  const away: FileStore = {
    ...app.files,
    delete: () => Promise.reject(new PlimsollError('PLIMSOLL_STORAGE_UNREACHABLE', 'It is away.')),
  }
  await expect(complete(refuse, { store: away })).rejects.toThrow('There is a virus in it.')
  expect(await service.keys()).toContain(key)
  await afterFirstSweep(service)
  await new Uploads({ postgres: app.postgres, store: app.files, direct: app.files.direct }).sweep()
  expect(await service.keys()).toEqual([])
  // Who asks again is told the same.
  expect(await query(app.postgres, 'select state from plimsoll.uploads')).toEqual([['refused']])
})
