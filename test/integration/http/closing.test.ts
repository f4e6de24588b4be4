import { fork } from 'node:child_process'
import { once } from 'node:events'
import dns from 'node:dns'
import { Agent, get, type IncomingMessage } from 'node:http'
import { connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import Fastify from 'fastify'
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { createApp, type AppOptions } from '../../../src/app/index.ts'
import { createDatabase, embeddedDatabase, type Database } from '../../servers/database.ts'
import { engines, relations, type Shop } from './shop.ts'

// A server is there already, which saves each test the start of an embedded one.
let database: Database
beforeAll(async () => {
  database = engines.includes('PostgreSQL') ? await createDatabase() : embeddedDatabase
})
afterAll(() => database.drop())

type Found = (error: Error | null, address: string | dns.LookupAddress[], family?: number) => void

const tooLong = `GET /${'x'.repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`

interface Service {
  readonly app: Shop
  readonly port: number
  /** Resolves when /slow was asked. */
  readonly asked: Promise<unknown>
  /** Answers /slow. */
  answer(): void
  /** Begins to close, and resolves when that has begun. */
  beginClosing(): Promise<{ closed: Promise<void> }>
}

async function open(options: Partial<AppOptions<typeof relations>> = {}, host = '127.0.0.1'): Promise<Service> {
  const app = await createApp({ relations, databaseUrl: database.url, secret: 'a secret for tests', ...options })
  onTestFinished(() => app.close())
  const [asked, answer, closing] = [1, 2, 3].map(() => Promise.withResolvers<void>())
  app.fastify.get('/slow', async () => {
    asked!.resolve()
    await answer!.promise
    return 'answered'
  })
  app.fastify.addHook('preClose', async () => closing!.resolve())
  const url = await app.listen({ port: 0, host })
  return {
    app,
    port: Number(new URL(url).port),
    asked: asked!.promise,
    answer: answer!.resolve,
    beginClosing: async () => {
      const closed = app.close()
      await closing!.promise
      return { closed }
    },
  }
}

function ask(port: number, path: string): Promise<IncomingMessage> {
  const agent = new Agent({ keepAlive: true })
  onTestFinished(() => agent.destroy())
  return new Promise((resolve, reject) => get({ agent, port, path, host: '127.0.0.1' }, resolve).once('error', reject))
}

/** A bare connection that the server has seen, and all that it is sent until it is closed. */
async function connection(
  { app, port }: Service,
  { sent = '', host = '127.0.0.1' } = {},
): Promise<{ socket: Socket; received: Promise<string> }> {
  const before = await connections(app)
  const socket = connect(port, host)
  onTestFinished(() => void socket.destroy())
  const received = text(socket).catch(() => '')
  await once(socket, 'connect')
  if (sent !== '') socket.write(sent)
  if (host === '127.0.0.1') await vi.waitUntil(async () => (await connections(app)) > before)
  return { socket, received }
}

function connections(app: Shop): Promise<number> {
  return new Promise((resolve) => app.fastify.server.getConnections((_, count) => resolve(count)))
}

describe('closing', () => {
  test('answers the request that is under way, and does not wait for its client to hang up', async () => {
    const service = await open()
    const response = ask(service.port, '/slow')
    await service.asked
    const { closed } = await service.beginClosing()
    service.answer()
    const { statusCode, headers } = await response
    expect(statusCode).toBe(200)
    expect(headers.connection).toBe('close')
    await closed
  })

  test('cuts what is not done after closeTimeout: a handler that hangs, half a head, an upgraded connection', async () => {
    const service = await open({ closeTimeout: '200ms' })
    const half = await connection(service, { sent: 'GET /slow HTTP/1.1\r\nHost: x\r\nX-Half' })
    const upgraded = await connection(service)
    service.app.fastify.server.once('upgrade', (_, socket) => socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\n'))
    upgraded.socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: other\r\n\r\n')
    await vi.waitUntil(() => upgraded.socket.bytesRead > 0)
    const hanging = ask(service.port, '/slow')
    await service.asked
    const { closed } = await service.beginClosing()
    await expect(hanging).rejects.toThrow('socket hang up')
    await closed
    expect(await half.received).toBe('')
    service.answer()
  })

  test('does not wait for a connection that has not been used', async () => {
    const service = await open({ closeTimeout: '1h' })
    const unused = await connection(service)
    const { closed } = await service.beginClosing()
    await closed
    expect(await unused.received).toBe('')
  })

  test('answers a request that comes too late with a problem that says when to come again', async () => {
    const service = await open()
    const late = await connection(service, { sent: 'GET /slow HTTP/1.1\r\nHost: x\r\n' })
    const slow = ask(service.port, '/slow')
    await service.asked
    const { closed } = await service.beginClosing()
    late.socket.write('\r\n')
    const received = await late.received
    expect(received).toMatch(/^HTTP\/1\.1 503 .*\r\nconnection: close\r\n/is)
    expect(received).toMatch(/\r\nretry-after: [1-9]\d*\r\n/i)
    expect(received).toMatch(/\r\ncontent-type: application\/problem\+json/i)
    expect(JSON.parse(received.slice(received.indexOf('\r\n\r\n')))).toMatchObject({
      status: 503,
      detail: expect.stringContaining('closing'),
    })
    service.answer()
    await slow
    await closed
  })

  test('leaves late requests to an application that is somebody else’s, and is as quick', async () => {
    const service = await open({ fastify: Fastify(), closeTimeout: '1h' })
    const late = await connection(service, { sent: 'GET /slow HTTP/1.1\r\nHost: x\r\n' })
    const slow = ask(service.port, '/slow')
    await service.asked
    const { closed } = await service.beginClosing()
    late.socket.write('\r\n')
    expect(await late.received).toContain('"message":"Service Unavailable"')
    service.answer()
    expect((await slow).headers.connection).toBe('close')
    await closed
  })

  // Elsewhere than on Linux the second address would have to be set up.
  test.runIf(process.platform === 'linux')('holds on every address of localhost', async () => {
    const addresses = ['127.0.0.1', '127.0.0.2']
    const original = dns.lookup
    const lookup = vi.spyOn(dns, 'lookup').mockImplementation(((
      host: string,
      options: dns.LookupOptions,
      done: Found,
    ) => {
      if (host !== 'localhost') original(host, options, done)
      else if (!options.all) done(null, addresses[0]!, 4)
      else
        done(
          null,
          addresses.map((address) => ({ address, family: 4 })),
        )
    }) as never)
    onTestFinished(() => lookup.mockRestore())
    const service = await open({ closeTimeout: '200ms' }, 'localhost')
    const halves = await Promise.all(
      addresses.map((host) => connection(service, { host, sent: 'GET /slow HTTP/1.1\r\nHost: x\r\nX-Half' })),
    )
    const long = await Promise.all(addresses.map((host) => connection(service, { host, sent: tooLong })))
    for (const { received } of long) expect(await received).toMatch(/^HTTP\/1\.1 431 .*application\/problem\+json/s)
    await service.app.close()
    for (const { received } of halves) expect(await received).toBe('')
  })
})

describe('what is no request', () => {
  test.each([
    [431, tooLong],
    [400, 'GET\r\n\r\n'],
    [400, 'GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n'],
  ])('is answered with a problem of status %i, and hung up on', async (status, sent) => {
    const service = await open()
    const { received } = await connection(service, { sent })
    const [head, body] = (await received).split('\r\n\r\n')
    expect(head).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
    expect(head).toMatch(/\r\ncontent-type: application\/problem\+json/)
    expect(head).toContain(`content-length: ${body!.length}`)
    expect(JSON.parse(body!)).toMatchObject({ status, detail: expect.any(String) })
  })
})

describe('closeOnSignals', () => {
  interface Process {
    readonly url: string
    readonly exit: Promise<[code: number | null, signal: string | null]>
    readonly errors: Promise<string>
    said(word: string): Promise<void>
    send(message: string): void
    kill(signal: 'SIGINT' | 'SIGTERM'): void
  }

  async function start(...options: string[]): Promise<Process> {
    const child = fork(new URL('./closing-service.ts', import.meta.url), options, {
      execArgv: [],
      silent: true,
      env: { ...process.env, DATABASE_URL: database.url },
    })
    onTestFinished(() => void child.kill('SIGKILL'))
    const words: string[] = []
    child.on('message', (word) => words.push(String(word)))
    const errors = text(child.stderr!)
    const exit = once(child, 'exit') as Promise<[number | null, string | null]>
    await vi.waitUntil(() => words.length > 0, { timeout: 20_000 })
    return {
      url: words[0]!,
      exit,
      errors,
      said: async (word) => void (await vi.waitUntil(() => words.includes(word), { timeout: 20_000 })),
      send: (message) => void child.send(message),
      kill: (signal) => void child.kill(signal),
    }
  }

  test('ends the process in peace when the last answer is out', async () => {
    const service = await start()
    const response = fetch(`${service.url}/slow`)
    await service.said('asked')
    service.kill('SIGTERM')
    await service.said('closing')
    service.send('answered')
    expect(await (await response).text()).toBe('answered')
    expect(await service.exit).toEqual([0, null])
  })

  test.each([
    ['SIGTERM', 'SIGINT'],
    ['SIGINT', 'SIGTERM'],
    ['SIGINT', 'SIGINT'],
  ] as const)('closes at %s, and ends the process at once at a %s after it', async (first, second) => {
    const service = await start()
    const response = fetch(`${service.url}/slow`).catch(() => 'cut')
    await service.said('asked')
    service.kill(first)
    await service.said('closing')
    service.kill(second)
    expect(await service.exit).toEqual([null, second])
    expect(await response).toBe('cut')
  })

  test('ends the process with the reason when it cannot be closed in order', async () => {
    const service = await start('fail')
    service.kill('SIGTERM')
    expect(await service.exit).toEqual([1, null])
    expect(await service.errors).toMatch(/did not close in order: Error: this hook fails/)
  })
})
