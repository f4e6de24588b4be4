// A process that stores files, to be killed or measured: `files-process.ts WORK URL [KEY]`.
import { createHash, randomBytes } from 'node:crypto'
import { openFileStore } from '../../src/app/open-files.ts'
import { DiskFolder } from '../../src/files/drivers/disk/disk-folder.ts'
import { DiskObjects } from '../../src/files/drivers/disk/disk-objects.ts'
import { gcsStore } from '../../src/files/drivers/gcs/gcs-store.ts'
import { bucketName, clientOf } from '../servers/google-storage.ts'
import { parseDiskUrl } from '../../src/files/drivers/disk/parse-disk-url.ts'

const [work, url = '', key = 'key'] = process.argv.slice(2)
const megabyte = 1024 * 1024

async function* megabytes(count: number): AsyncGenerator<Uint8Array> {
  for (let n = 0; n < count; n++) {
    yield Buffer.alloc(megabyte, n % 251)
  }
}

const works: Readonly<Record<string, () => Promise<void>>> = {
  /** Stores without an end. */
  async hang() {
    const store = await openFileStore(url)
    await store.put(
      key,
      (async function* () {
        yield* megabytes(20)
        console.log('begun')
        await new Promise((resolve) => setTimeout(resolve, 3_600_000))
      })(),
    )
  },
  /** Stops with a key locked, and a blob noted that is nobody's. */
  async lock() {
    const objects = new DiskObjects(new DiskFolder(parseDiskUrl(url).folder))
    const { path } = await objects.staging.write(Buffer.from('orphan'))
    await objects.locks.run(key, async (lock) => {
      const blob = objects.staging.name()
      await lock.note([blob])
      const { intoFolder } = await import('../../src/files/drivers/disk/object-record.ts')
      const { rename } = await import('node:fs/promises')
      const to = objects.folder.blobPath(blob)
      await intoFolder(objects.folder, to, () => rename(path, to))
      console.log('begun')
      await new Promise((resolve) => setTimeout(resolve, 3_600_000))
    })
  },
  /** Stores and removes the same few keys again and again; each object says in its metadata what it is. */
  async churn() {
    const store = await openFileStore(url)
    console.log('begun')
    for (let n = 0; ; n++) {
      const bytes = randomBytes(1 + ((n * 7919) % 200_000))
      const name = `${key}/${n % 3}`
      const sum = createHash('sha256').update(bytes).digest('hex')
      await Promise.all([
        store.put(name, bytes, { metadata: { sum } }),
        n % 5 === 0 ? store.delete([`${key}/${(n + 1) % 3}`]) : store.copy(name, `${key}/copy`).catch(() => {}),
      ])
    }
  },
  /** Stores 300 MB and reads them, and says how much its memory has grown to. */
  async measure() {
    // Of Google's there is a stand-in, which has no URL of its own.
    const google = /^https?:/.test(url)
    const store = google ? await gcsStore({ client: clientOf(url), bucket: bucketName }) : await openFileStore(url)
    await store.put(key, megabytes(1))
    const before = process.resourceUsage().maxRSS
    await store.put(key, megabytes(300))
    let read = 0
    for await (const chunk of (await store.get(key)).stream) read += (chunk as Buffer).length
    console.log(JSON.stringify({ read, grownMb: Math.round((process.resourceUsage().maxRSS - before) / 1024) }))
    await store.delete([key])
    await store.close()
  },
}

await works[work!]!()
