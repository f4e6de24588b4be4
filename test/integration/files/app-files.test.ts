import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { S3Client } from '@aws-sdk/client-s3'
import { defineRelations } from 'drizzle-orm'
import { integer, pgTable } from 'drizzle-orm/pg-core'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { createApp, diskStore, openFileStore, s3Store } from '../../../src/app/index.ts'
import type { App, AppOptions } from '../../../src/app/index.ts'
import { S3Client as S3Bucket } from '../../../src/files/drivers/s3/s3-client.ts'
import { openFiles } from '../../../src/files/index.ts'
import { signedAddresses } from '../../../src/http/index.ts'
import { bytesAt, keysOf, refused, unique } from '../../drivers/file-store.ts'
import { findRadosgw, radosgwUrl } from '../../servers/radosgw.ts'

const relations = defineRelations({ things: pgTable('things', { id: integer().primaryKey() }) }, () => ({}))
const parent = mkdtempSync(join(tmpdir(), 'plimsoll-app-files-'))
afterAll(() => rmSync(parent, { recursive: true, force: true }))

async function open(options: Partial<AppOptions<typeof relations>>): Promise<App> {
  const app = await createApp({ relations, databaseUrl: 'pglite:memory', secret: 'a secret of the tests', ...options })
  onTestFinished(() => app.close())
  return app as unknown as App
}

describe('the files of an application', () => {
  test('are in the folder that is named, which is made when something is stored, and closed with it', async () => {
    const folder = join(parent, 'named')
    const app = await open({ storageUrl: `file:${folder}` })
    expect(app.files.engine).toBe('disk')
    expect(await app.files.head('a')).toBeUndefined()
    expect(existsSync(folder)).toBe(false)
    await app.files.put('a', Buffer.from('x'), { type: 'text/plain' })
    expect(existsSync(folder)).toBe(true)
    await app.close()
    await refused(app.files.head('a'), 'PLIMSOLL_STORAGE_CLOSED')
  })

  test('are in a store that was opened already', async () => {
    const store = diskStore({ folder: join(parent, 'given') })
    const app = await open({ files: { store } })
    await app.files.put('a', Buffer.from('x'))
    expect((await bytesAt(store, 'a')).toString()).toBe('x')
  })

  test('are nowhere that does not exist', async () => {
    for (const url of ['ftp://host', 'x', '/var/files', 'file:', 's3://', 'gs://']) {
      await expect(open({ storageUrl: url })).rejects.toMatchObject({ code: 'PLIMSOLL_OPTION_INVALID' })
    }
    const error = await openFileStore('s4://key:secret@bucket').catch((reason: Error) => reason)
    expect((error as Error).message).toContain("STORAGE_URL is 's4://key:***@bucket'")
  })
})

describe('the address of a file', () => {
  const store = diskStore({ folder: join(parent, 'addressed') })

  test('is that of whoever serves files, where the store has none', async () => {
    const alone = openFiles({ store })
    await refused(alone.url('a'), 'PLIMSOLL_FEATURE_UNSUPPORTED')
    expect(alone.direct).toBeUndefined()
    const addresses = signedAddresses({ secret: 'a secret of the tests', url: '/files' })
    const files = openFiles({ store, links: addresses })
    expect(files.direct).toBe(addresses)
    const read = (url: string) => addresses.read(/^\/files\?token=(.*)$/.exec(url)![1], 'get')
    expect(read(await files.url('a', { expires: '10m', type: 'text/plain' }))).toMatchObject({
      key: 'a',
      type: 'text/plain',
      until: expect.closeTo(Date.now() + 600_000, -4),
    })
    expect(read(await files.url('a')).until).toBeCloseTo(Date.now() + 3_600_000, -4)
    for (const key of ['../a', '.uploads/a', '.videos/a', '.images/a', '.plimsoll/a'])
      await refused(files.url(key), 'PLIMSOLL_FILE_KEY_INVALID')
    await refused(files.url('a', { disposition: 'a\nb' }), 'PLIMSOLL_FILE_FACTS_INVALID')
    await refused(files.url('a', { expires: 'soon' as never }), 'PLIMSOLL_OPTION_INVALID')
  })

  describe.skipIf(findRadosgw() === undefined)('in a bucket', () => {
    let url = ''
    beforeAll(async () => {
      url = await radosgwUrl()
    })

    test('is one of the bucket', async () => {
      const links = signedAddresses({ secret: 'a secret of the tests', url: 'https://nowhere.example' })
      await using files = openFiles({ store: await openFileStore(url), links })
      const key = unique()
      await files.put(key, Buffer.from('x'))
      expect(await (await fetch(await files.url(key, { expires: '1m' }))).text()).toBe('x')
      await refused(files.url(key, { expires: '8d' }), 'PLIMSOLL_OPTION_INVALID')
    })

    test('has the prefix that all keys of it have there, and that nobody else sees', async () => {
      await using all = await openFileStore(url)
      await using store = await openFileStore(`${url}&prefix=app/one`)
      const [folder, name] = [unique('').slice(0, -1), 'a b.txt']
      await store.put(`${folder}/${name}`, Buffer.from('x'), { ifAbsent: true })
      expect(await keysOf(store, folder)).toEqual([`${folder}/${name}`])
      expect((await bytesAt(all, `app/one/${folder}/${name}`)).toString()).toBe('x')
      await refused(store.get(name), 'PLIMSOLL_FILE_NOT_FOUND')
      const { files } = await open({ files: { store } })
      expect((await fetch(await files.url(`${folder}/${name}`))).status).toBe(200)
      const upload = { key: `${folder}/up`, id: await store.uploads.create(`${folder}/up`) }
      const found = []
      for await (const { key, id } of store.uploads.list(folder)) found.push({ key, id })
      expect(found).toEqual([upload])
      await store.copy(`${folder}/${name}`, `${folder}/copy`)
      await store.delete([`${folder}/${name}`, `${folder}/copy`])
      expect(await keysOf(all, `app/one/${folder}`)).toEqual([])
      await store.uploads.abort(upload)
    })

    test('knows Amazon by the address that is called, wherever that comes from, and calls nobody to know it', async () => {
      const credentials = { accessKeyId: 'a', secretAccessKey: 'b' }
      const hosts = [
        [{ region: 'eu-north-1', credentials }, true],
        [{ region: 'cn-north-1', credentials }, true],
        [{ region: 'us-east-1', credentials, endpoint: 'https://amazonaws.com.example.com' }, false],
        [{ region: 'us-east-1', credentials, endpoint: 'http://127.0.0.1:1' }, false],
      ] as const
      for (const [options, isAmazon] of hosts) {
        const client = new S3Client(options)
        expect(await (await S3Bucket.open({ client, bucket: 'a-bucket' })).isAmazon()).toBe(isAmazon)
      }
    })

    test('is made with a client of the application, which is left open', async () => {
      const [, accessKeyId = '', secretAccessKey = '', bucket = ''] = /^s3:\/\/(.*?):(.*)@(.*?)\?/.exec(url) ?? []
      const endpoint = decodeURIComponent(/endpoint=([^&]*)/.exec(url)![1]!)
      const credentials = { accessKeyId, secretAccessKey }
      const client = new S3Client({ region: 'us-east-1', endpoint, forcePathStyle: true, credentials })
      const key = unique()
      const store = await s3Store({ client, bucket })
      await store.put(key, Buffer.from('x'), { ifAbsent: true })
      await refused(store.put(key, Buffer.from('x'), { ifAbsent: true }), 'PLIMSOLL_FILE_EXISTS')
      expect((await fetch(await store.direct!.signGet(key, { expires: 60_000 }))).status).toBe(200)
      await store.close()
      await using again = await s3Store({ client, bucket })
      expect((await bytesAt(again, key)).toString()).toBe('x')
      client.destroy()
    })
  })
})
