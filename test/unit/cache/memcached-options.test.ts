import { describe, expect, test } from 'vitest'
import { readMemcachedOptions } from '../../../src/cache/drivers/memcached/options.ts'

describe('the options of Memcached', () => {
  test('are those of the URL, or else the defaults', () => {
    expect(readMemcachedOptions({ url: 'memcached://one' }, {})).toEqual({
      servers: [{ host: 'one', port: 11_211, weight: 1 }],
      namespace: 'plimsoll',
      timeoutMs: 100,
      versionTtlMs: 7 * 86_400_000,
      split: false,
    })
    const url = 'memcached://one:1,[::1]:2,three/?namespace=%C3%A4&timeout=1s&versionTtl=2d&split=true&weights=1,2,0.5'
    expect(readMemcachedOptions({ url }, {})).toEqual({
      servers: [
        { host: 'one', port: 1, weight: 1 },
        { host: '::1', port: 2, weight: 2 },
        { host: 'three', port: 11_211, weight: 0.5 },
      ],
      namespace: 'ä',
      timeoutMs: 1000,
      versionTtlMs: 2 * 86_400_000,
      split: true,
    })
  })

  test('given in code win', () => {
    const url = 'memcached://one?namespace=a&split=true'
    const settings = readMemcachedOptions({ url }, { namespace: 'b', split: false, timeout: 5 })
    expect(settings).toMatchObject({ namespace: 'b', split: false, timeoutMs: 5 })
    expect(readMemcachedOptions({ servers: [{ host: 'h', weight: 2 }] }, {}).servers).toEqual([
      { host: 'h', port: 11_211, weight: 2 },
    ])
  })

  test.each([
    ['redis://one', 'does not begin with memcached://'],
    ['memcached://', 'names no server'],
    ['memcached://one,', "names no server in ''"],
    ['memcached://one:port', "names no server in 'one:port'"],
    ['memcached://one:70000', 'the port 70000'],
    ['memcached://one,one:11211', "'one:11211' is there twice"],
    ['memcached://me:hunter2@one', 'has a user or a password'],
    ['memcached://one?colour=red', "has 'colour'"],
    ['memcached://one?split=yes', "it is 'yes'"],
    ['memcached://one?timeout=0', 'timeout is'],
    ['memcached://one?timeout=0ms', 'it is 0 ms'],
    ['memcached://one,two?weights=1', 'there are 1 of them for 2 servers'],
    ['memcached://one?weights=0', 'has 0'],
    ['memcached://one/path', 'names no server'],
    [`memcached://one?namespace=${'x'.repeat(100)}`, 'is too long'],
  ])('refuse %s', (url, message) => {
    const read = (): unknown => readMemcachedOptions({ url }, {})
    expect(read).toThrow(message)
    expect(read).toThrow(expect.objectContaining({ code: 'PLIMSOLL_OPTION_INVALID' }))
    expect(read).not.toThrow('hunter2')
  })
})
