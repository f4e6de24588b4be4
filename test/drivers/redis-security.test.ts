import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest'
import type { CacheStore } from '../../src/cache/contract.ts'
import { redisStore } from '../../src/cache/drivers/redis/redis-store.ts'
import { startRedis, type RedisServer } from '../servers/redis.ts'
import { bytesOf, fillKey, observerOf, unique, versionOf } from './cache-store.ts'

const password = `p@ss/w#rd?'"%`
const encoded = encodeURIComponent(password)

/** Makes an authority, and a certificate of it for `localhost`. */
function makeCertificates(folder: string): void {
  const openssl = (...args: string[]): void => void execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' })
  const key = ['-newkey', 'rsa:2048', '-nodes', '-days', '2']
  openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.crt', '-subj', '/CN=Test authority')
  openssl('req', ...key, '-keyout', 'server.key', '-out', 'server.csr', '-subj', '/CN=localhost')
  writeFileSync(join(folder, 'server.ext'), 'subjectAltName = DNS:localhost')
  const signed = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', 'server.ext']
  openssl('x509', '-req', '-in', 'server.csr', '-out', 'server.crt', ...signed)
}

async function open(url: string): Promise<CacheStore> {
  const store = await redisStore({ url }, { timeout: '5s' })
  onTestFinished(() => store.close())
  store.attach(observerOf())
  return store
}

async function works(store: CacheStore): Promise<void> {
  const [key, tag] = [unique(), unique()]
  expect(await bytesOf(store, key)).toBeUndefined()
  const bytes = await fillKey(store, key)
  expect(await bytesOf(store, key)).toEqual(bytes)
  const version = await versionOf(store, tag)
  await store.bump([tag])
  expect(await versionOf(store, tag)).not.toBe(version)
  await store.delete([key])
  await expect.poll(() => store.isCurrent(performance.now())).toBe(true)
}

function sockets(): number {
  return process.getActiveResourcesInfo().filter((name) => /TCPSocketWrap|TLSWrap/.test(name)).length
}

describe.runIf(inject('redisUrl'))('the store on a Redis that asks for a password', () => {
  let server: RedisServer
  beforeAll(async () => {
    server = (await startRedis({ args: ['--requirepass', password] }))!
    const admin = new Redis({ port: server.port, password })
    const rights = ['~plimsoll:*', '&plimsoll:*', '&__redis__:invalidate', '+@all', '-@admin', '-@dangerous', '+info']
    await admin.call('ACL', 'SETUSER', 'app', 'on', `>${password}`, ...rights)
    await admin.call('ACL', 'SETUSER', 'reader', 'on', `>${password}`, '~*', '&*', '+@read', '+@connection')
    admin.disconnect()
  })
  afterAll(() => server.stop())
  const at = (user: string): string => `redis://${user}@127.0.0.1:${server.port}`

  test.each([
    ['the password', () => `:${encoded}`],
    ['a user who may do no more than it needs', () => `app:${encoded}`],
    ['a password that nobody encoded', () => `app:${password}`],
  ])('works with %s', async (_, user) => {
    await works(await open(at(user())))
  })

  test.each([
    ['a wrong password', 'app:wrong', /WRONGPASS/],
    ['no password', '', /NOAUTH/],
    ['a user who may not do what it needs', `reader:${encoded}`, /NOPERM/],
  ])('with %s fails at once, says why, and shows no password', async (_, user, reason) => {
    const before = sockets()
    const url = user === '' ? `redis://127.0.0.1:${server.port}` : at(user)
    const failure: unknown = await redisStore({ url }).catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 'PLIMSOLL_CACHE_UNREACHABLE', message: expect.stringMatching(reason) })
    expect(String(failure)).not.toMatch(/wrong\b|p%40ss|p@ss/)
    await expect.poll(sockets).toBeLessThanOrEqual(before)
  })
})

describe.runIf(inject('redisUrl'))('the store on a Redis that asks for TLS', () => {
  let server: RedisServer
  beforeAll(async () => {
    const files = ['--tls-cert-file', 'server.crt', '--tls-key-file', 'server.key', '--tls-ca-cert-file', 'ca.crt']
    server = (await startRedis({
      tls: true,
      prepare: makeCertificates,
      args: [...files, '--tls-auth-clients', 'no'],
    }))!
  })
  afterAll(() => server.stop())
  const at = (host: string, query: Record<string, string>): string =>
    `rediss://${host}:${server.port}?${new URLSearchParams(query).toString()}`
  const authority = (): string => join(server.folder, 'ca.crt')

  test.each([
    ['the authority', () => at('localhost', { ca: authority() })],
    ['the name that is on the certificate', () => at('127.0.0.1', { ca: authority(), servername: 'localhost' })],
    ['no check at all', () => at('127.0.0.1', { verify: 'false' })],
  ])('works with %s', async (_, url) => {
    await works(await open(url()))
  })

  test.each([
    ['an authority that it does not know', () => at('localhost', {}), /certificate|self.signed/i],
    ['another name on the certificate', () => at('127.0.0.1', { ca: authority() }), /does not match|altnames/i],
  ])('with %s fails at once and says why', async (_, url, reason) => {
    await expect(redisStore({ url: url() })).rejects.toMatchObject({
      code: 'PLIMSOLL_CACHE_UNREACHABLE',
      message: expect.stringMatching(reason),
    })
  })
})
