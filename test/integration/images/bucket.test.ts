import sharp from 'sharp'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import type { FileStore } from '../../../src/files/contract.ts'
import { s3Store } from '../../../src/files/drivers/s3/s3-store.ts'
import { parseLimits } from '../../../src/files/images/image-limits.ts'
import { openImageMaker } from '../../../src/files/images/image-maker.ts'
import { parseVariant } from '../../../src/files/images/image-variant.ts'
import { VariantCabinet } from '../../../src/files/images/variant-cabinet.ts'
import { unique } from '../../drivers/file-store.ts'
import { findRadosgw, radosgwUrl } from '../../servers/radosgw.ts'

const variant = parseVariant({ width: 32, format: 'webp' }, 'variant')

describe.skipIf(findRadosgw() === undefined)('a variant in a bucket', { timeout: 60_000 }, () => {
  let url = ''
  beforeAll(async () => {
    url = `${await radosgwUrl()}&prefix=${unique()}/`
  }, 300_000)

  /** A maker with a store of its own, as another process has; what it has put. */
  async function open() {
    const store = await s3Store({ url })
    const maker = openImageMaker({ most: 1 })
    onTestFinished(async () => {
      await maker.close()
      await store.close()
    })
    const puts: string[] = []
    const refused: string[] = []
    const watched = new Proxy<FileStore>(store, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target)
        if (name !== 'put') return typeof value === 'function' ? (value.bind(target) as unknown) : value
        return async (...given: Parameters<FileStore['put']>) => {
          const put = await target.put(...given).catch((error: unknown) => {
            refused.push(given[0])
            throw error
          })
          puts.push(given[0])
          return put
        }
      },
    })
    const cabinet = new VariantCabinet({ store: watched, maker, folder: '.images/', limits: parseLimits() })
    return { store, cabinet, puts, refused }
  }

  test('is made once, however many ask for it by however many makers: one has the lease, the others wait', async () => {
    const makers = await Promise.all([open(), open(), open()])
    const [{ store }] = makers
    const key = unique()
    await store.put(key, await picture(640, 320, 'red'))
    const asked = makers.flatMap(({ cabinet }) => [1, 2, 3].map(() => cabinet.make(key, variant, '')))
    const made = await Promise.all(asked)
    expect(new Set(made.map(({ etag }) => etag)).size).toBe(1)
    const puts = makers.flatMap((one) => one.puts)
    const [to] = made.map((object) => object.key)
    expect(puts.filter((put) => put === to)).toHaveLength(1)
    expect(puts.filter((put) => put === `${to}.lease`)).not.toHaveLength(0)
    // The bucket itself has refused the lease to those who came later.
    expect(makers.flatMap((one) => one.refused)).toContain(`${to}.lease`)
    expect((await store.list('.images/')).objects.map((object) => object.key)).toEqual([to])
  })

  test('whose maker has died is made by another one, once', async () => {
    const makers = await Promise.all([open(), open()])
    const [{ store, cabinet }] = makers
    const key = unique()
    await store.put(key, await picture(64, 64, 'blue'))
    const to = cabinet.keyOf(key, variant, '')
    const dead = { until: Date.now() - 60_000, token: 'somebody else' }
    await store.put(`${to}.lease`, Buffer.from(JSON.stringify(dead)))
    const made = await Promise.all(makers.map((one) => one.cabinet.make(key, variant, '')))
    expect(new Set(made.map(({ etag }) => etag)).size).toBe(1)
    expect(makers.flatMap((one) => one.puts).filter((put) => put === to)).toHaveLength(1)
    expect(await store.head(`${to}.lease`)).toBeUndefined()
  })
})

function picture(width: number, height: number, background: string): Promise<Buffer> {
  return sharp({ create: { width, height, channels: 3, background } })
    .png()
    .toBuffer()
}
