import type { Redis } from 'ioredis'
import { describe, expect, test } from 'vitest'
import { inspectServer } from '../../../src/cache/drivers/redis/server-info.ts'

const runId = '0123456789abcdef0123456789abcdef01234567'
const sections = {
  server: { redis_version: '7.0.15', redis_mode: 'standalone', run_id: runId },
  replication: { role: 'master' },
  persistence: { loading: '0' },
}

/** What servers say that cannot be started here; those that can are in test/drivers. */
function inspect(own: Partial<Record<keyof typeof sections, Record<string, string>>>, cluster = false) {
  const info = async (section: keyof typeof sections): Promise<string> =>
    Object.entries({ ...sections[section], ...own[section] })
      .map(([key, value]) => `${key}:${value}\r\n`)
      .join('')
  return inspectServer({ info } as unknown as Redis, { name: 'h:6379', cluster })
}

describe('what a Redis says of itself', () => {
  test.each(['6.2.0', '7.0.15', '7.2.4', '8.0.0', '10.1.0'])('version %s will do', async (version) => {
    expect(await inspect({ server: { redis_version: version } })).toBe('0123456789abcdef')
  })

  test.each(['2.8.0', '5.0.14', '6.0.16', ''])('version %s is too old', async (version) => {
    await expect(inspect({ server: { redis_version: version } })).rejects.toMatchObject({
      code: 'PLIMSOLL_FEATURE_UNSUPPORTED',
      message: expect.stringMatching(/h:6379 is version .*needs 6\.2/),
    })
  })

  test('a run_id is needed', async () => {
    await expect(inspect({ server: { run_id: '' } })).rejects.toMatchObject({ code: 'PLIMSOLL_FEATURE_UNSUPPORTED' })
  })

  test('a replica, and one that is loading, may do later', async () => {
    await expect(inspect({ replication: { role: 'slave' } })).rejects.toThrow('replica')
    await expect(inspect({ persistence: { loading: '1' } })).rejects.toThrow('loading')
  })
})
