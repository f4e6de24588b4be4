import { once } from 'node:events'
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import Fastify, { type FastifyRequest } from 'fastify'
import { expect, onTestFinished, test, vi } from 'vitest'
import { RequestBody } from '../../../../src/http/files/request-body.ts'
import { pattern } from './file-service.ts'

const mb = 1024 * 1024

/** Serves requests; resolves to where. */
async function serve(handle: (request: IncomingMessage, response: ServerResponse) => Promise<void>): Promise<string> {
  const server = createServer((request, response) => void handle(request, response))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function readAll(body: RequestBody, block: number): Promise<Buffer> {
  const blocks: Buffer[] = []
  for (let ended = false; !ended;) {
    const target = Buffer.alloc(block)
    const bytes = await body.readInto(target)
    ended = bytes < block
    blocks.push(target.subarray(0, bytes))
  }
  return Buffer.concat(blocks)
}

test.each([1000, 65_536, 100_000, 3 * mb, 5 * mb])('a request has all its bytes in blocks of %i', async (block) => {
  const sent = pattern(3 * mb)
  let came: Buffer | undefined
  const url = await serve(async (request, response) => {
    came = await readAll(new RequestBody(request), block)
    response.end()
  })
  for (const bytes of [sent, sent.subarray(0, 10), Buffer.alloc(0)]) {
    await fetch(url, { method: 'PUT', body: bytes })
    expect(came!.equals(bytes)).toBe(true)
  }
})

test('a request can be iterated, too', async () => {
  const sent = pattern(mb)
  const url = await serve(async (request, response) => {
    const pieces: Buffer[] = []
    for await (const piece of new RequestBody(request)) pieces.push(piece)
    response.end(String(Buffer.concat(pieces).equals(sent)))
  })
  expect(await text((await fetch(url, { method: 'PUT', body: sent })).body!)).toBe('true')
})

test('what passes through a request is not kept until it is collected', async () => {
  let most = 0
  const url = await serve(async (request, response) => {
    const body = new RequestBody(request)
    const block = Buffer.alloc(mb)
    const before = process.memoryUsage().arrayBuffers
    while ((await body.readInto(block)) === block.length)
      most = Math.max(most, process.memoryUsage().arrayBuffers - before)
    response.end()
  })
  // By a stream of one buffer, which makes none itself.
  const piece = Buffer.alloc(mb)
  const sending = httpRequest(url, { method: 'PUT', headers: { 'content-length': 128 * mb } })
  const answered = once(sending, 'response')
  for (let n = 0; n < 128; n++) if (!sending.write(piece)) await once(sending, 'drain')
  sending.end()
  const [response] = (await answered) as [IncomingMessage]
  response.resume()
  expect(response.statusCode).toBe(200)
  expect(most).toBeLessThan(8 * mb)
})

test('memory of whoever makes a request up stays theirs', async () => {
  const fastify = Fastify()
  fastify.addContentTypeParser('*', (_request, payload, done) => done(null, payload))
  const handler = async (request: FastifyRequest) => ({
    bytes: (await readAll(new RequestBody(request.raw), 1000)).length,
  })
  fastify.route({ method: 'PUT', url: '/', handler })
  const payload = Buffer.from(new ArrayBuffer(100_000))
  const answer = await fastify.inject({ method: 'PUT', url: '/', payload, headers: { 'content-type': 'a/b' } })
  expect(answer.json()).toEqual({ bytes: 100_000 })
  expect(payload.length).toBe(100_000)
})

test('bytes that somebody else reads along stay theirs', async () => {
  const sent = pattern(mb)
  const url = await serve(async (request, response) => {
    const seen: Buffer[] = []
    request.on('data', (chunk: Buffer) => seen.push(chunk))
    const came = await readAll(new RequestBody(request), 100_000)
    response.end(String(came.equals(sent) && Buffer.concat(seen).equals(sent)))
  })
  expect(await text((await fetch(url, { method: 'PUT', body: sent })).body!)).toBe('true')
})

test('a request whose connection breaks fails, also for who reads on', async () => {
  const failed = Promise.withResolvers<unknown[]>()
  const url = await serve(async (request) => {
    const body = new RequestBody(request)
    const errors: unknown[] = []
    for (let n = 0; n < 2; n++) await body.readInto(Buffer.alloc(mb)).catch((error: unknown) => errors.push(error))
    failed.resolve(errors)
  })
  const sending = httpRequest(url, { method: 'PUT', headers: { 'content-length': 2 * mb } })
  sending.on('error', () => {})
  sending.write(pattern(1000), () => sending.destroy())
  expect(await failed.promise).toEqual([expect.any(Error), expect.any(Error)])
})

test('a client that sends nothing for a minute is given up, but not while nobody wants anything', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  onTestFinished(() => {
    vi.useRealTimers()
  })
  const failed = Promise.withResolvers<unknown>()
  let wanted = Promise.resolve(0)
  const url = await serve(async (request) => {
    const body = new RequestBody(request)
    await body.readInto(Buffer.alloc(1000))
    vi.advanceTimersByTime(61_000)
    expect(request.destroyed).toBe(false)
    wanted = body.readInto(Buffer.alloc(1000))
    wanted.catch(failed.resolve)
    vi.advanceTimersByTime(59_000)
    expect(request.destroyed).toBe(false)
    vi.advanceTimersByTime(2000)
  })
  const sending = httpRequest(url, { method: 'PUT', headers: { 'content-length': mb } })
  sending.on('error', () => {})
  sending.write(pattern(1000))
  expect(await failed.promise).toMatchObject({ message: expect.stringContaining('nothing for a minute') })
})

test('what is left of a request that nobody reads on with does not hold up the next one of its connection', async () => {
  const url = await serve(async (request, response) => {
    const body = new RequestBody(request)
    await body.readInto(Buffer.alloc(10))
    body.end()
    await expect(body.readInto(Buffer.alloc(10))).rejects.toThrow('nobody reads')
    response.end()
  })
  for (let n = 0; n < 3; n++) expect((await fetch(url, { method: 'PUT', body: pattern(500_000) })).status).toBe(200)
})
