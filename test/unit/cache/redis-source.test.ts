import { describe, expect, test } from 'vitest'
import { parseSource } from '../../../src/cache/drivers/redis/parse-source.ts'
import { redisStore } from '../../../src/cache/drivers/redis/redis-store.ts'

const parse = (url: string) => parseSource({ url })

describe('the URL of a Redis', () => {
  test.each([
    ['redis://h', [{ host: 'h', port: 6379 }], {}],
    ['redis://h:7/2', [{ host: 'h', port: 7 }], { db: 2 }],
    ['redis://[::1]:7', [{ host: '::1', port: 7 }], {}],
    ['redis://:s%40cret@h', [{ host: 'h', port: 6379 }], { password: 's@cret' }],
    ['redis://u:p@ss%w/?d@h:7', [{ host: 'h', port: 7 }], { username: 'u', password: 'p@ss%w/?d' }],
    ['redis://u@h', [{ host: 'h', port: 6379 }], { username: 'u' }],
  ])('%s', (url, seeds, connection) => {
    expect(parse(url)).toMatchObject({ cluster: false, seeds })
    expect(parse(url).connection).toEqual(connection)
  })

  test('names the nodes of a cluster', () => {
    expect(parse('redis://a:1,b,[::2]:3?cluster=true')).toMatchObject({
      cluster: true,
      seeds: [
        { host: 'a', port: 1 },
        { host: 'b', port: 6379 },
        { host: '::2', port: 3 },
      ],
    })
  })

  test('carries the options of the store, and those of TLS', () => {
    const { options } = parse('redis://h?namespace=n&timeout=50ms&versionTtl=1d&maxEntryBytes=1MB')
    expect(options).toEqual({ namespace: 'n', timeout: '50ms', versionTtl: '1d', maxEntryBytes: '1MB' })
    const { connection } = parse(`rediss://h?verify=false&servername=s&ca=${import.meta.filename}`)
    expect(connection.tls).toMatchObject({ rejectUnauthorized: false, servername: 's' })
    expect(String(connection.tls?.ca)).toContain('the URL of a Redis')
    expect(parse('rediss://h').connection.tls).toEqual({ rejectUnauthorized: true })
  })

  test.each([
    ['http://h', /give redis:\/\//],
    ['redis://', /give redis:\/\//],
    ['redis://a,b', /add \?cluster=true/],
    ['redis://a/1?cluster=true', /no databases/],
    ['redis://a?cluster=yes', /give true or false/],
    ['redis://a?tiemout=5', /'tiemout' is not among/],
    ['redis://a?ca=x', /'ca' is not among/],
    ['rediss://a?ca=/nowhere', /'ca' cannot be read/],
    ['redis://a:b:c', /is no host/],
  ])('%s is refused', (url, message) => {
    expect(() => parse(url)).toThrow(expect.objectContaining({ code: 'PLIMSOLL_OPTION_INVALID' }))
    expect(() => parse(url)).toThrow(message)
  })

  test('is shown without its password', () => {
    expect(() => parse('redis://u:secret@a,b')).toThrow(/u:\*\*\*@a,b/)
  })

  test.each([
    [{ namespace: 'a{b}' }, /namespace is 'a\{b\}'/],
    [{ timeout: 'soon' as '1s' }, /timeout is 'soon'/],
    [{ timeout: 0 }, /timeout is 0/],
    [{ maxEntryBytes: 'much' as '1MB' }, /maxEntryBytes is 'much'/],
  ])('goes with options that are checked: %o', async (options, message) => {
    await expect(redisStore({ url: 'redis://h' }, options)).rejects.toThrow(message)
  })
})
