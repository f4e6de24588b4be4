import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { crc32, deflateSync } from 'node:zlib'
import { describe, expect, onTestFinished, test } from 'vitest'
import { diskStore } from '../../../../src/files/drivers/disk/disk-store.ts'
import { begin, call, openService, send, sha256, upload } from './upload-service.ts'
import { zipBomb } from './zip-bomb.ts'

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const sized = Buffer.alloc(4)
  sized.writeUInt32BE(data.length)
  const sum = Buffer.alloc(4)
  sum.writeUInt32BE(crc32(body))
  return Buffer.concat([sized, body, sum])
}

/** A picture that says it has these sides, and has as many lines of pixels as are asked for. */
function png(width: number, height: number, lines = height): Buffer {
  const head = Buffer.alloc(13)
  head.writeUInt32BE(width, 0)
  head.writeUInt32BE(height, 4)
  head.set([8, 0, 0, 0, 0], 8)
  const pixels = deflateSync(Buffer.alloc((width + 1) * lines))
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1A\n', 'latin1'),
    chunk('IHDR', head),
    chunk('IDAT', pixels),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

const page = Buffer.from('<!doctype html><script>fetch("/steal?" + document.cookie)</script>')
const svg = Buffer.from(
  '<?xml version="1.0"?><!-- a drawing --><svg xmlns="http://www.w3.org/2000/svg"><script>1</script></svg>',
)
const zip = Buffer.from('PK\u0005\u0006'.padEnd(22, '\0'), 'latin1')

describe('a file that is uploaded', () => {
  test('as a picture is one, of a size that is told', async () => {
    const service = await openService({ accept: ['image/*'], image: true })
    const { status, body } = await upload(service, png(20, 10), { name: 'a.png', type: 'image/png' })
    expect(status).toBe(200)
    expect(body.file).toMatchObject({ type: 'image/png', picture: { width: 20, height: 10 } })
  })

  test('has the type that its bytes say, whatever the client calls it', async () => {
    const service = await openService({ accept: ['image/*'] })
    const { body } = await upload(service, png(1, 1), { name: 'a.jpg', type: 'image/jpeg' })
    expect(body.file.type).toBe('image/png')
    expect(await service.app.files.head(body.file.key)).toMatchObject({ type: 'image/png' })
  })

  test.each([
    ['a page', page],
    ['a page behind blanks and a comment', Buffer.concat([Buffer.from('\uFEFF \n<!-- -->'), page])],
    ['a page in UTF-16', Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(page.toString(), 'utf16le')])],
    ['a drawing that can act', svg],
    ['a drawing of another namespace', Buffer.from('<s:svg xmlns:s="http://www.w3.org/2000/svg"/>')],
    ['an archive', Buffer.from('PK\u0003\u0004'.padEnd(100, '\0'), 'latin1')],
    ['text', Buffer.from('no picture')],
    ['nothing that is known', Buffer.from([1, 2, 3, 4])],
  ])('as a picture and is %s is refused, and nothing of it stays', async (_, bytes) => {
    const service = await openService({ accept: ['image/*'], image: true })
    const first = await upload(service, bytes, { name: 'a.png', type: 'image/png' })
    expect(first).toMatchObject({ status: 415, body: { code: 'PLIMSOLL_UPLOAD_TYPE_REFUSED' } })
    expect([await service.keys(), await service.rows(), await service.jobs()]).toEqual([[], [], 0])
  })

  test('and was refused stays so, for whoever asks again', async () => {
    const service = await openService({ accept: ['image/*'] })
    const { call, begin, send } = await import('./upload-service.ts')
    const { body } = await begin(service, page, { name: 'a.png', type: 'image/png' })
    await send(service.url, body.put!, page)
    const first = await call(`${service.url}${body.complete}`, 'POST')
    expect(await call(`${service.url}${body.complete}`, 'POST')).toMatchObject({
      status: first.status,
      body: first.body,
    })
    expect((await call(`${service.url}${body.self}`, 'GET')).body).toMatchObject({
      state: 'refused',
      put: null,
      problem: { status: 415 },
    })
  })

  test.each([
    ['an archive', Buffer.concat([png(2, 2), zip]), 'an archive'],
    ['a page', Buffer.concat([Buffer.from('GIF89a\x01\0\x01\0\0\0\0', 'latin1'), page]), 'a page'],
    [
      'a PDF',
      Buffer.concat([png(2, 2).subarray(0, 33), chunk('tEXt', Buffer.from('x\0%PDF-1.7')), png(2, 2).subarray(33)]),
      'a PDF',
    ],
  ])('as a picture and is %s as well is refused', async (_, bytes, what) => {
    const service = await openService({ accept: ['image/*'], image: true })
    const { status, body } = await upload(service, bytes, { name: 'a.png', type: 'image/png' })
    expect([status, body.code]).toEqual([422, 'PLIMSOLL_UPLOAD_REFUSED'])
    expect(body.detail).toContain(what)
  })

  test('of a few bytes that promise a picture of 16000 by 16000 is refused before anybody decodes it', async () => {
    const service = await openService({ accept: ['image/*'], image: true })
    const bomb = png(16_000, 16_000, 100)
    expect(bomb.length).toBeLessThan(10_000)
    const { status, body } = await upload(service, bomb, { name: 'a.png', type: 'image/png' })
    expect([status, body.detail]).toEqual([422, expect.stringContaining('16000 × 16000')])
    expect(await service.keys()).toEqual([])
    const small = await openService({ accept: ['image/*'], image: { maxPixels: 100 } })
    expect((await upload(small, png(10, 10), { name: 'a.png', type: 'image/png' })).status).toBe(200)
    expect((await upload(small, png(10, 11), { name: 'a.png', type: 'image/png' })).status).toBe(422)
  })

  test('as an archive that would be gigabytes is an archive, and is not unpacked to see that', async () => {
    const bomb = zipBomb(['[Content_Types].xml', 'mimetype', ...Array.from({ length: 60 }, (_, n) => `${n}.xml`)], 50)
    expect(bomb.length).toBeLessThan(5_000_000)
    const service = await openService()
    const { status, body } = await upload(service, bomb, { name: 'a.docx', type: 'application/zip' })
    expect([status, body.file.type, body.file.size]).toEqual([200, 'application/zip', bomb.length])
    const pictures = await openService({ accept: ['image/*'], image: true })
    expect((await upload(pictures, bomb, { name: 'a.png', type: 'image/png' })).status).toBe(415)
    const program = fileURLToPath(new URL('type-of-bomb.ts', import.meta.url))
    const { stdout } = await promisify(execFile)(process.execPath, [program])
    const { types, grownMb } = JSON.parse(stdout) as { types: string[]; grownMb: number }
    expect(types).toEqual(['application/zip', 'application/zip'])
    expect(grownMb).toBeLessThan(40)
  })

  test('of a picture without its size is refused', async () => {
    const service = await openService({ accept: ['image/*'], image: true })
    const { status } = await upload(service, Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 4, 0, 0, 0xff, 0xd9]), {
      name: 'a.jpg',
      type: 'image/jpeg',
    })
    expect(status).toBe(422)
  })

  test('as plain text stays that, also when it is about pages', async () => {
    const service = await openService({ accept: ['text/plain', 'text/csv', 'application/json'] })
    expect((await upload(service, page, { type: 'text/plain' })).body.file.type).toBe('text/plain')
    expect((await upload(service, Buffer.from('a,b\n1,2\n'), { type: 'text/csv' })).body.file.type).toBe('text/csv')
    expect(
      (await upload(service, Buffer.from('{"a":1}'), { type: 'application/json; charset=utf-8' })).body.file.type,
    ).toBe('application/json')
    expect((await upload(service, Buffer.from([0, 1, 2, 0]), { type: 'text/plain' })).status).toBe(415)
  })

  test('as whatever it may be is what it is', async () => {
    const service = await openService({ accept: ['*/*'] })
    expect((await upload(service, page, { type: 'application/octet-stream' })).body.file.type).toBe('text/html')
    expect((await upload(service, Buffer.from([1, 2]), { type: 'application/octet-stream' })).body.file.type).toBe(
      'application/octet-stream',
    )
    // Stored by a browser, never shown.
    const [html] = (await service.rows()).map(([key]) => key!)
    expect((await service.app.files.head(html!))!.disposition).toMatch(/^attachment;/)
  })

  test('at once with another checksum than was announced is refused as it comes, and with that one not read again', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'plimsoll-checked-'))
    onTestFinished(() => rm(folder, { recursive: true, force: true }))
    const disk = diskStore({ folder })
    let opened = 0
    const { openFile } = disk.features
    const counted = (key: string): ReturnType<NonNullable<typeof openFile>> => {
      opened++
      return openFile!(key)
    }
    const features = { ...disk.features, openFile: counted }
    const store = new Proxy(disk, {
      get(target, name) {
        const value: unknown = name === 'features' ? features : Reflect.get(target, name, target)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    const service = await openService({ parts: { from: 100, bytes: 100 } }, { files: { store } })
    const bytes = Buffer.from('some bytes')
    await expect(upload(service, bytes, { sha256: sha256(Buffer.from('others')) })).rejects.toThrow(/refused: 422/)
    expect(await service.keys()).toEqual([])
    const right = await upload(service, bytes, { sha256: sha256(bytes) })
    expect([right.body.file.sha256, opened]).toEqual([sha256(bytes), 0])
    const long = Buffer.alloc(150, 'x')
    const { body } = await begin(service, long, { sha256: sha256(bytes) })
    const wanted = { parts: [{ number: 1 }, { number: 2 }] }
    const { parts } = (await call(`${service.url}${body.parts!.url}`, 'POST', wanted)).body
    for (const part of parts) await send(service.url, part, long.subarray((part.number - 1) * 100, part.number * 100))
    expect(await call(`${service.url}${body.complete}`, 'POST')).toMatchObject({
      status: 422,
      body: { code: 'PLIMSOLL_UPLOAD_REFUSED' },
    })
    expect(opened).toBe(1)
  })

  test('of another size than was announced does not come to be', async () => {
    const service = await openService()
    await expect(upload(service, Buffer.from('some bytes'), { size: 11 })).rejects.toThrow(/refused: 403/)
    await expect(upload(service, Buffer.from('some bytes'), { size: 9 })).rejects.toThrow(/refused: 403/)
    expect(await service.keys()).toEqual([])
  })

  test.each([
    '../../../etc/passwd',
    '..',
    'a/../../b',
    'C:\\x\\y.txt',
    '\uD800lone',
    'x'.repeat(300),
    `${'写'.repeat(100)}.txt`,
    'a\0b',
    '.plimsoll',
    '%2e%2e%2f',
  ])('with the name %j lies where it belongs', async (name) => {
    const service = await openService()
    const { status, body } = await upload(service, Buffer.from('text'), { name })
    expect(status).toBe(200)
    expect(body.file.key).toMatch(/^uploads\/[\w-]{16}\/[^/\\]{1,200}$/)
    expect(await service.keys()).toEqual([body.file.key])
  })
})
