import { describe, expect, test } from 'vitest'
import { PlimsollError } from '../../../../src/core/errors.ts'
import { Uploads, type FileStore } from '../../../../src/files/index.ts'
import { pattern } from '../files/file-service.ts'
import { afterFirstSweep, begin, call, engines, openService, query, send, sha256, upload } from './upload-service.ts'

const mb = 1024 * 1024
const text = Buffer.from('What was uploaded.\n')

describe.each(engines)('an upload on %s', { timeout: 90_000 }, (engine) => {
  test('of a small file is one request, and then a file, a row and a job', async () => {
    const service = await openService({}, { engine })
    const { status, headers, body } = await begin(service, text, { name: '../../Nötes\u202E.txt' })
    expect(status).toBe(201)
    expect(headers.get('location')).toBe(`/uploads/${body.id}`)
    expect(body).toMatchObject({
      state: 'open',
      name: 'Nötes.txt',
      type: 'text/plain',
      size: text.length,
      parts: null,
      stored: null,
      problem: null,
    })
    expect((await send(service.url, body.put!, text)).status).toBe(200)
    // Nobody's file yet.
    expect([await service.rows(), await service.jobs()]).toEqual([[], 0])
    expect((await fetch(`${service.url}/files/${body.id}/Nötes.txt`)).status).toBe(404)
    const completed = await call(`${service.url}${body.complete}`, 'POST')
    const key = `uploads/${body.id}/Nötes.txt`
    expect(completed).toMatchObject({
      status: 200,
      body: {
        file: {
          id: body.id,
          key,
          name: 'Nötes.txt',
          type: 'text/plain',
          size: text.length,
          sha256: null,
          picture: null,
        },
        result: { asset: 1 },
      },
    })
    expect(await service.rows()).toEqual([[key, 'text/plain', String(text.length)]])
    expect(await service.jobs()).toBe(1)
    expect(await service.keys()).toEqual([key])
    const file = await fetch(`${service.url}/files/${body.id}/${encodeURIComponent('Nötes.txt')}`)
    expect(await file.text()).toBe(text.toString())
    expect(await call(`${service.url}${body.self}`, 'GET')).toMatchObject({
      status: 200,
      body: { state: 'stored', put: null, stored: completed.body },
    })
  })

  test('of a large file comes in parts, in any order, and after a restart tells which are there', async () => {
    const service = await openService({ parts: { from: '2MB', bytes: '1MB' } }, { engine })
    const bytes = pattern(4 * mb + 5)
    const { body } = await begin(service, bytes, {
      name: 'a.bin',
      type: 'application/octet-stream',
      sha256: sha256(bytes),
    })
    expect(body).toMatchObject({
      put: null,
      parts: { size: mb, count: 5, most: 100, arrived: [], checksums: ['sha256'] },
    })
    const part = (number: number): Buffer => bytes.subarray((number - 1) * mb, number * mb)
    const sign = async (...numbers: number[]) =>
      (
        await call(`${service.url}${body.parts!.url}`, 'POST', {
          parts: numbers.map((number) => ({ number, sha256: sha256(part(number)) })),
        })
      ).body.parts
    for (const signed of await sign(5, 2))
      expect((await send(service.url, signed, part(signed.number))).status).toBe(200)
    const early = await call(`${service.url}${body.complete}`, 'POST')
    expect(early).toMatchObject({ status: 409, body: { code: 'PLIMSOLL_UPLOAD_INCOMPLETE' } })
    expect((await call(`${service.url}${body.self}`, 'GET')).body).toMatchObject({
      state: 'open',
      parts: { arrived: [2, 5] },
    })
    const [third] = await sign(3)
    expect((await send(service.url, third, part(4))).status).toBe(422)
    for (const signed of await sign(1, 3, 4))
      expect((await send(service.url, signed, part(signed.number))).status).toBe(200)
    const done = await call(`${service.url}${body.complete}`, 'POST')
    expect(done).toMatchObject({ status: 200, body: { file: { size: bytes.length, sha256: sha256(bytes) } } })
    const { stream } = await service.app.files.get(done.body.file.key)
    expect(sha256(Buffer.concat(await stream.toArray()))).toBe(sha256(bytes))
    expect(await service.keys()).toEqual([done.body.file.key])
  })

  test('is completed once, however many do at the same time, and all are told the same', async () => {
    const service = await openService({}, { engine })
    const { body } = await begin(service, text)
    await send(service.url, body.put!, text)
    const answers = await Promise.all(Array.from({ length: 12 }, () => call(`${service.url}${body.complete}`, 'POST')))
    for (const answer of answers) expect(answer).toMatchObject({ status: 200, body: { result: { asset: 1 } } })
    expect((await call(`${service.url}${body.complete}`, 'POST')).body).toEqual(answers[0]!.body)
    expect([service.stored.length, (await service.rows()).length, await service.jobs()]).toEqual([1, 1, 1])
  })

  test('whose onStored throws leaves no row, no job and no file, and can be completed again', async () => {
    let fails = true
    const service = await openService(
      {
        onStored: async ({ key, type, size }, tx) => {
          await tx.assets.create({ key, type, size })
          if (fails) throw Object.assign(new Error('The quota is used up.'), { statusCode: 402 })
        },
      },
      { engine },
    )
    const { body } = await begin(service, text)
    await send(service.url, body.put!, text)
    expect(await call(`${service.url}${body.complete}`, 'POST')).toMatchObject({
      status: 402,
      body: { detail: 'The quota is used up.' },
    })
    expect(await service.rows()).toEqual([])
    // What waits is nobody's file yet.
    expect(await service.keys()).toEqual([`.uploads/${body.id}`])
    const file = `${service.url}/files/${body.id}/notes.txt`
    expect((await fetch(file)).status).toBe(404)
    fails = false
    expect(await call(`${service.url}${body.complete}`, 'POST')).toMatchObject({ status: 200, body: { result: null } })
    expect((await service.rows()).length).toBe(1)
    expect(await (await fetch(file)).text()).toBe(text.toString())
  })

  test('that onStored refuses has ended, and nothing of it is left', async () => {
    const refusal = new PlimsollError('PLIMSOLL_UPLOAD_REFUSED', 'There is a virus in it.')
    const service = await openService(
      {
        onStored: async ({ key, type, size }, tx) => {
          await tx.assets.create({ key, type, size })
          throw refusal
        },
      },
      { engine },
    )
    const answer = await upload(service, text)
    const refused = { status: 422, body: { code: refusal.code, detail: refusal.message } }
    expect(answer).toMatchObject(refused)
    expect([await service.rows(), await service.keys()]).toEqual([[], []])
    const [[id]] = (await query(service.app.postgres, 'select id from plimsoll.uploads')) as [[string]]
    expect(await call(`${service.url}/uploads/${id}/complete`, 'POST')).toMatchObject(refused)
    expect(await service.keys()).toEqual([])
  })
})

describe('an upload', () => {
  test('in parts that are one object already is told of with all of them, to who comes back to complete it', async () => {
    let fails = true
    const service = await openService({
      parts: { from: 1, bytes: '1MB' },
      onStored: () => {
        if (fails) throw Object.assign(new Error('Not now.'), { statusCode: 503 })
      },
    })
    const { body } = await begin(service, text)
    const { parts } = (await call(`${service.url}${body.parts!.url}`, 'POST', { parts: [{ number: 1 }] })).body
    await send(service.url, parts[0], text)
    expect((await call(`${service.url}${body.complete}`, 'POST')).status).toBe(503)
    expect(await call(`${service.url}${body.self}`, 'GET')).toMatchObject({
      status: 200,
      body: { state: 'open', parts: { arrived: [1] } },
    })
    fails = false
    expect((await call(`${service.url}${body.complete}`, 'POST')).status).toBe(200)
  })

  test('neither takes for its own nor removes the file of another one, where the application gives both one key', async () => {
    const service = await openService({ key: ({ name }) => `shared/${name}` })
    expect((await upload(service, text, { name: 'a.txt' })).status).toBe(200)
    const other = Buffer.from('What somebody else has uploaded.\n')
    const { body } = await begin(service, other, { name: 'a.txt' })
    await send(service.url, body.put!, other)
    expect(await call(`${service.url}${body.complete}`, 'POST')).toMatchObject({
      status: 412,
      body: { code: 'PLIMSOLL_FILE_EXISTS' },
    })
    expect((await call(`${service.url}${body.self}`, 'DELETE')).status).toBe(204)
    const { stream } = await service.app.files.get('shared/a.txt')
    expect(Buffer.concat(await stream.toArray()).toString()).toBe(text.toString())
    expect(await service.keys()).toEqual(['shared/a.txt'])
  })

  test('is not put where the framework keeps files of its own', async () => {
    for (const folder of ['.uploads', '.videos', '.images']) {
      const service = await openService({ key: ({ name }) => `${folder}/${name}` })
      const { body } = await begin(service, text, { name: 'a.txt' })
      await send(service.url, body.put!, text)
      expect(await call(`${service.url}${body.complete}`, 'POST')).toMatchObject({
        status: 500,
        body: { code: 'PLIMSOLL_OPTION_INVALID' },
      })
      expect(await service.keys()).not.toContain(`${folder}/a.txt`)
    }
  })

  test('that was given up is gone, with its bytes', async () => {
    const service = await openService({ parts: { from: 1, bytes: '1MB' } })
    const { body } = await begin(service, text)
    const { parts } = (await call(`${service.url}${body.parts!.url}`, 'POST', { parts: [{ number: 1 }] })).body
    await send(service.url, parts[0], text)
    expect((await call(`${service.url}${body.self}`, 'DELETE')).status).toBe(204)
    for (const [method, path] of [
      ['GET', body.self],
      ['POST', body.complete],
      ['DELETE', body.self],
    ] as const)
      expect((await call(`${service.url}${path}`, method)).status).toBe(404)
    expect((await send(service.url, parts[0], text)).status).toBe(404)
    expect(await service.keys()).toEqual([])
    expect(await query(service.app.postgres, 'select * from plimsoll.uploads')).toEqual([])
  })

  test('that is stored is not given up', async () => {
    const service = await openService()
    const { body } = await upload(service, text)
    expect(await call(`${service.url}/uploads/${body.file.id}`, 'DELETE')).toMatchObject({
      status: 409,
      body: { code: 'PLIMSOLL_UPLOAD_ENDED' },
    })
    expect((await service.keys()).length).toBe(1)
  })

  test("is its owner's alone", async () => {
    const service = await openService({
      authorize: (request) => (request.headers['x-user'] as string | undefined) ?? false,
    })
    const ada = { 'x-user': 'ada' }
    const { body } = await call(
      `${service.url}/uploads`,
      'POST',
      { name: 'a.txt', type: 'text/plain', size: text.length },
      ada,
    )
    await send(service.url, body.put, text)
    expect((await call(`${service.url}${body.self}`, 'GET', undefined, { 'x-user': 'bob' })).status).toBe(404)
    expect((await call(`${service.url}${body.complete}`, 'POST', undefined, { 'x-user': 'bob' })).status).toBe(404)
    expect(await call(`${service.url}${body.complete}`, 'POST')).toMatchObject({
      status: 403,
      body: { code: 'PLIMSOLL_UPLOAD_FORBIDDEN' },
    })
    expect((await call(`${service.url}${body.complete}`, 'POST', undefined, ada)).status).toBe(200)
    expect((await call(`${service.url}/uploads`, 'POST', { name: 'a.txt', type: 'text/plain', size: 1 })).status).toBe(
      403,
    )
  })

  test('is not known at another place', async () => {
    const service = await openService()
    const { body } = await begin(service, text)
    expect((await call(`${service.url}/uploads/${'x'.repeat(16)}`, 'GET')).status).toBe(404)
    expect((await call(`${service.url}/uploads/${encodeURIComponent("'; drop")}`, 'GET')).status).toBe(404)
    expect((await call(`${service.url}${body.self}`, 'GET')).status).toBe(200)
  })

  test.each([
    [{ name: 'a', type: 'text/plain', size: 0 }, 400],
    [{ name: 'a', type: 'text/plain', size: -1 }, 400],
    [{ name: 'a', type: 'text/plain', size: 1.5 }, 400],
    [{ name: 'a', type: 'text/plain', size: '1' }, 400],
    [{ name: 'a', type: 'text', size: 1 }, 400],
    [{ type: 'text/plain', size: 1 }, 400],
    [{ name: 'a', type: 'text/plain', size: 1, sha256: 'x' }, 400],
    [[], 400],
    [{ name: 'a', type: 'text/plain', size: 101 * mb }, 413],
    [{ name: 'a', type: 'image/png', size: 1 }, 415],
  ])('of %j is %i', async (wanted, status) => {
    const service = await openService({ accept: ['text/*'] })
    const answer = await call(`${service.url}/uploads`, 'POST', wanted)
    expect(answer.status).toBe(status)
    expect(answer.body).toMatchObject({ status, code: expect.stringMatching(/^PLIMSOLL_UPLOAD_/) })
    expect(await query(service.app.postgres, 'select * from plimsoll.uploads')).toEqual([])
  })

  test('signs no parts that it has not, and not too many', async () => {
    const service = await openService({ parts: { from: 1, bytes: 10 } })
    const { body } = await begin(service, text)
    const sign = (parts: unknown) => call(`${service.url}${body.parts!.url}`, 'POST', { parts })
    for (const wrong of [
      [],
      [{ number: 0 }],
      [{ number: 3 }],
      [{ number: 1.5 }],
      [{}],
      'all',
      Array.from({ length: 101 }, () => ({ number: 1 })),
    ])
      expect((await sign(wrong)).status).toBe(400)
    expect((await sign([{ number: 2 }])).body.parts).toMatchObject([{ number: 2, size: text.length - 10 }])
  })

  test('that cannot be removed keeps no other from being', async () => {
    const service = await openService()
    const [stuck, free] = [await begin(service, text), await begin(service, text)]
    for (const { body } of [stuck, free]) await send(service.url, body.put!, text)
    const { postgres, files } = service.app
    await query(postgres, `update plimsoll.uploads set expires_at = now() - interval '1 second'`)
    const store: FileStore = {
      ...files,
      delete: async (keys) => {
        if (keys.some((key) => key.includes(stuck.body.id)))
          throw new PlimsollError('PLIMSOLL_STORAGE_UNAVAILABLE', 'It is locked.')
        await files.delete(keys)
      },
    }
    await afterFirstSweep(service)
    const uploads = new Uploads({ postgres, store, direct: files.direct }, { sweepMs: 600_000 })
    await expect(uploads.sweep()).rejects.toThrow('It is locked.')
    expect(await query(postgres, 'select id from plimsoll.uploads')).toEqual([[stuck.body.id]])
    expect(await service.keys()).toEqual([`.uploads/${stuck.body.id}`])
  })

  test('that is being removed when the process ends is not waited for to the last, and goes on elsewhere', async () => {
    const service = await openService()
    const begun = [await begin(service, text), await begin(service, text), await begin(service, text)]
    for (const { body } of begun) await send(service.url, body.put!, text)
    const { postgres, files } = service.app
    await query(postgres, `update plimsoll.uploads set expires_at = now() - interval '1 second'`)
    await afterFirstSweep(service)
    const [removing, held] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const store: FileStore = {
      ...files,
      delete: async (keys) => {
        removing.resolve()
        await held.promise
        await files.delete(keys)
      },
    }
    const direct = files.direct
    const ending = new Uploads({ postgres, store, direct }, { sweepMs: 3_600_000 })
    const swept = ending.sweep()
    await removing.promise
    const closed = ending.close()
    held.resolve()
    await closed
    expect(await swept).toEqual({ uploads: 1, strays: 0 })
    expect((await service.keys()).length).toBe(2)
    await query(postgres, `update plimsoll.uploads set expires_at = now() - interval '1 second'`)
    const next = new Uploads({ postgres, store: files, direct }, { sweepMs: 3_600_000 })
    expect(await next.sweep()).toEqual({ uploads: 2, strays: 0 })
    expect(await service.keys()).toEqual([])
  })

  test('that nobody goes on with is removed by one of the processes, with all it has left', async () => {
    const service = await openService({ parts: { from: 100, bytes: 100 } })
    const whole = await begin(service, text)
    await send(service.url, whole.body.put!, text)
    const long = Buffer.alloc(150, 'x')
    const parted = await begin(service, long)
    const { parts } = (await call(`${service.url}${parted.body.parts!.url}`, 'POST', { parts: [{ number: 1 }] })).body
    await send(service.url, parts[0], long.subarray(0, 100))
    const kept = await begin(service, text)
    await query(
      service.app.postgres,
      `update plimsoll.uploads set expires_at = now() - interval '1 second' where id <> '${kept.body.id}'`,
    )
    await afterFirstSweep(service)
    const { app } = service
    const { direct } = app.files
    const sweepers = [1, 2, 3].map(
      () => new Uploads({ postgres: app.postgres, store: app.files, direct }, { sweepMs: 600_000 }),
    )
    const swept = await Promise.all(sweepers.map((uploads) => uploads.sweep()))
    expect(swept.filter((sweep) => sweep !== undefined)).toEqual([{ uploads: 2, strays: 0 }])
    expect(await query(app.postgres, 'select id from plimsoll.uploads')).toEqual([[kept.body.id]])
    expect(await service.keys()).toEqual([])
    for await (const left of app.files.uploads.list('')) expect.fail(`${left.id} is left`)
  })
})
