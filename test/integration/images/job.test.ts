import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  createApp,
  defineImages,
  type App,
  type DefineImagesOptions,
  type ImagesOutput,
} from '../../../src/app/index.ts'
import { databaseEngine } from '../../../src/jobs/drivers/database/database-engine.ts'
import { openJobs } from '../../../src/jobs/index.ts'
import { openPostgres } from '../../../src/postgres/index.ts'
import { relations } from '../../faults/service.ts'

const folder = mkdtempSync(join(tmpdir(), 'plimsoll-image-job-'))
const made: ImagesOutput[] = []
const covers = defineImages('images.cover', {
  variants: { small: { width: 32 }, large: { width: 64, format: 'avif' } },
  // Until what it waits for is there, however slow the machine.
  retry: { attempts: 1000, first: 20, most: 50 },
  onMade: (output) => void made.push(output),
})
const broken = defineImages('images.broken', {
  variants: { small: { width: 8 } },
  retry: { attempts: 3, first: 10, most: 20 },
  onMade: (output) => {
    made.push(output)
    if (made.filter(({ key }) => key === output.key).length < 2) throw new Error('the row is locked')
  },
})
let app: App<typeof relations>

beforeAll(async () => {
  app = await createApp({
    relations,
    databaseUrl: 'pglite:memory',
    secret: 'a secret of the tests',
    storageUrl: `file:${folder}`,
    jobs: [covers, broken],
  })
})
afterAll(async () => {
  await app.close()
  rmSync(folder, { recursive: true, force: true })
})

async function put(key: string, width = 128): Promise<void> {
  const image = await sharp({ create: { width, height: width, channels: 3, background: 'teal' } })
    .jpeg()
    .toBuffer()
  await app.files.put(key, image, { type: 'image/jpeg' })
}

describe('the job that makes variants', () => {
  test('stores them under keys of the content, and says where', async () => {
    await put('a.jpg')
    await put('same as a.jpg')
    const output = await (await covers.enqueue({ key: 'a.jpg' })).result({ timeout: '1m' })
    expect(Object.keys(output.variants)).toEqual(['small', 'large'])
    const { small, large } = output.variants
    expect(small).toMatchObject({ type: 'image/webp', width: 32, height: 32 })
    expect(small.key).toMatch(new RegExp(`^images/${output.sha256.slice(0, 40)}/small-[\\w-]{12}\\.webp$`))
    const object = await app.files.get(large.key)
    expect(object).toMatchObject({
      type: 'image/avif',
      cacheControl: 'public, max-age=31536000, immutable',
      size: large.size,
    })
    expect((await sharp(Buffer.concat(await object.stream.toArray())).metadata()).width).toBe(64)
    const same = await (await covers.enqueue({ key: 'same as a.jpg' })).result({ timeout: '1m' })
    expect(same.variants).toEqual(output.variants)
    expect(made.map(({ key }) => key)).toEqual(['a.jpg', 'same as a.jpg'])
  })

  test('of a transaction runs if and only if that commits', async () => {
    await put('b.jpg')
    await app.db
      .transaction(async () => {
        await covers.enqueue({ key: 'b.jpg' })
        throw new Error('rolled back')
      })
      .catch(() => {})
    const handle = await app.db.transaction(() => covers.enqueue({ key: 'b.jpg' }))
    await handle.result({ timeout: '1m' })
    expect(made.filter(({ key }) => key === 'b.jpg')).toHaveLength(1)
  })

  test('finds at its next attempt what the one before has made', async () => {
    await put('c.jpg', 40)
    const handle = await broken.enqueue({ key: 'c.jpg' })
    const output = await handle.result({ timeout: '1m' })
    expect((await handle.status())!.attempts).toBe(2)
    const [first, second] = made.filter(({ key }) => key === 'c.jpg')
    expect(second).toEqual(first)
    expect(output).toEqual(first)
    expect(
      (await app.files.list('images/')).objects.filter(({ key }) => key.includes(output.sha256.slice(0, 40))),
    ).toHaveLength(1)
  })

  test('does not try again what is no image, and does what is not there yet', async () => {
    await app.files.put('d.png', Buffer.from('<html>'), { type: 'image/png' })
    const handle = await covers.enqueue({ key: 'd.png' })
    await expect(handle.result({ timeout: '1m' })).rejects.toMatchObject({ code: 'PLIMSOLL_JOB_FAILED' })
    expect(await handle.status()).toMatchObject({ attempts: 1, error: { code: 'PLIMSOLL_IMAGE_INVALID' } })
    const early = await covers.enqueue({ key: 'e.jpg' })
    await expect.poll(async () => (await early.status())!.error?.code).toBe('PLIMSOLL_FILE_NOT_FOUND')
    await put('e.jpg', 44)
    await expect(early.result({ timeout: '1m' })).resolves.toMatchObject({ key: 'e.jpg' })
  })

  test('refuses an input without a key, and options that there are not', async () => {
    await expect(covers.enqueue({ key: '' })).rejects.toMatchObject({ code: 'PLIMSOLL_JOB_INPUT_INVALID' })
    await expect(covers.enqueue({} as { key: string })).rejects.toMatchObject({ code: 'PLIMSOLL_JOB_INPUT_INVALID' })
    const wrong: readonly DefineImagesOptions<string>[] = [
      { variants: {} },
      { variants: { 'a/b': {} } },
      { variants: { a: { width: -1 } } },
      { variants: { a: {} }, folder: '../up' },
      { variants: { a: {} }, limits: { memory: '1MB' as const } },
    ]
    for (const options of wrong) {
      expect(() => defineImages('images.x', options)).toThrow(
        expect.objectContaining({ code: 'PLIMSOLL_OPTION_INVALID' }),
      )
    }
  })

  test('says that it needs an application, where it is listed without one', async () => {
    const other = defineImages('images.other', { variants: { small: { width: 8 } }, retry: false })
    const postgres = await openPostgres({ url: 'pglite:memory' })
    const jobs = openJobs({ postgres, engine: await databaseEngine({ postgres }), jobs: [other] })
    try {
      await jobs.work()
      const handle = await other.enqueue({ key: 'a.jpg' })
      await expect(handle.result({ timeout: '1m' })).rejects.toThrow('list it in createApp')
      expect((await handle.status())!.error).toMatchObject({ code: 'PLIMSOLL_JOB_UNBOUND' })
    } finally {
      await jobs.close()
      await postgres.close()
    }
  })
})
