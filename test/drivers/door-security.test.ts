import { execFileSync } from 'node:child_process'
import { chownSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { openPostgres, type PostgresOptions } from '../../src/postgres/index.ts'
import { startPostgres, type PostgresServer } from '../servers/postgres.ts'
import type { Owner } from '../servers/owner.ts'
import { valueOf } from './door.ts'

const password = `p@ss/w#rd ?'"`

/** Makes an authority, and a certificate of it for `localhost`, as a server wants them in its data folder. */
function makeCertificates(data: string, owner: Owner): void {
  const openssl = (...args: string[]): void => void execFileSync('openssl', args, { cwd: data, stdio: 'ignore' })
  const key = ['-newkey', 'rsa:2048', '-nodes', '-days', '2']
  openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.crt', '-subj', '/CN=Test authority')
  openssl('req', ...key, '-keyout', 'server.key', '-out', 'server.csr', '-subj', '/CN=localhost')
  writeFileSync(join(data, 'server.ext'), 'subjectAltName = DNS:localhost')
  const signed = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', 'server.ext']
  openssl('x509', '-req', '-in', 'server.csr', '-out', 'server.crt', ...signed)
  if (owner.uid !== undefined)
    for (const name of ['server.key', 'server.crt']) chownSync(join(data, name), owner.uid, owner.gid!)
}

describe.runIf(inject('postgresUrl'))('the door to a server that asks for TLS and a password', () => {
  let server: PostgresServer
  let authority = ''

  beforeAll(async () => {
    server = (await startPostgres({
      settings: ['ssl=on', 'password_encryption=scram-sha-256'],
      prepare(data, owner) {
        makeCertificates(data, owner)
        authority = join(data, 'ca.crt')
        const rules = 'local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n'
        writeFileSync(join(data, 'pg_hba.conf'), rules)
        writeFileSync(join(data, '..', 'ca.crt'), readFileSync(authority))
      },
    }))!
    const admin = new pg.Client({ connectionString: server.socketUrl })
    await admin.connect()
    await admin.query(`create role app login password ${pg.escapeLiteral(password)}`)
    await admin.end()
  })
  afterAll(() => server.stop())

  const open = (secret: string, query: Record<string, string>, options: Partial<PostgresOptions> = {}) => {
    const url = new URL(server.url)
    url.username = 'app'
    url.password = encodeURIComponent(secret)
    url.hostname = 'localhost'
    url.search = new URLSearchParams(query).toString()
    return openPostgres({ url: url.href, startupTimeout: '20s', ...options })
  }
  const verified = () => ({ sslmode: 'verify-full', sslrootcert: authority })

  test('speaks SCRAM over TLS, and checks the certificate and the name on it', async () => {
    await using door = await open(password, verified())
    const session = `select ssl::text || ' ' || version from pg_stat_ssl where pid = pg_backend_pid()`
    expect(await valueOf(door, session)).toMatch(/^true TLSv1\.[23]$/)
    expect(await door.transaction((tx) => valueOf(tx, session))).toMatch(/^true/)
  })

  test('cancels and listens over TLS too', async () => {
    await using door = await open(password, verified())
    const stop = new AbortController()
    const slow = valueOf(door, 'select pg_sleep(30)', [], { signal: stop.signal })
    await valueOf(door, 'select 1')
    stop.abort()
    await expect(slow).rejects.toMatchObject({ code: 'PLIMSOLL_STATEMENT_CANCELLED' })
    const heard = Promise.withResolvers<string>()
    await door.listen('c', heard.resolve)
    await door.notify('c', 'x')
    expect(await heard.promise).toBe('x')
  })

  test.each([
    ['a wrong password', 'wrong', verified, /password authentication failed/],
    ['no password', '', verified, /password/],
    ['an authority that it does not know', password, () => ({ sslmode: 'verify-full' }), /certificate|self.signed/i],
    ['no TLS', password, () => ({ sslmode: 'disable' }), /no encryption|pg_hba/],
  ])('with %s fails at once, says why, and shows no password', async (_, secret, query, reason) => {
    const sockets = () => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length
    const before = sockets()
    const lines: string[] = []
    const failure: unknown = await open(secret, query(), { onWaiting: (line) => lines.push(line) }).catch(
      (error: unknown) => error,
    )
    expect(failure).toMatchObject({ code: 'PLIMSOLL_DATABASE_UNREACHABLE', message: expect.stringMatching(reason) })
    expect(lines, 'waiting helps with none of these').toEqual([])
    expect(String(failure)).not.toContain(secret === '' ? password : secret)
    await expect.poll(sockets).toBeLessThanOrEqual(before)
  })
})
