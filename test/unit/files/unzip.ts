import { buffer } from 'node:stream/consumers'
import { promisify } from 'node:util'
import yauzl, { type Entry, type Options, type ZipFile } from 'yauzl'

const open = promisify<Buffer, Options, ZipFile>(yauzl.fromBuffer)

/** What is in a zip, by name; sizes and checksums are checked. */
export async function unzip(bytes: Buffer): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>()
  const zip = await open(bytes, {
    lazyEntries: true,
    validateEntrySizes: true,
    strictFileNames: true,
    autoClose: false,
  })
  const openEntry = promisify(
    zip.openReadStream.bind(zip) as (
      entry: Entry,
      callback: (error: Error | null, stream: NodeJS.ReadableStream) => void,
    ) => void,
  )
  for (;;) {
    const entry = await new Promise<Entry | undefined>((resolve, reject) => {
      zip
        .once('error', reject)
        .once('end', () => resolve(undefined))
        .once('entry', resolve)
      zip.readEntry()
    })
    if (entry === undefined) return files
    files.set(entry.fileName, await buffer(await openEntry(entry)))
  }
}
