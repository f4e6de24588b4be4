import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import type { FileStore, GetOptions, WrittenObject } from '../../../src/files/contract.ts'
import { parseAccept } from '../../../src/files/uploads/accepted-types.ts'
import type { UploadSpec } from '../../../src/files/uploads/types.ts'
import type { UploadRow } from '../../../src/files/uploads/upload-row.ts'
import { verifyUpload } from '../../../src/files/uploads/verify-upload.ts'
import { crc32cOf, refused, sha256Of } from '../../drivers/file-store.ts'

const bytes = Buffer.from('What was uploaded.\n')
const other = Buffer.from('something else')
const [sha256, crc32c] = [sha256Of(bytes), crc32cOf(bytes)]

/** Verifies what a store has that knows what it is told to; `whole` is how often all was read. */
function setup(known: string | undefined) {
  const reads = { whole: 0 }
  const store = {
    features: {},
    get: async (_: string, { range }: GetOptions) => {
      if (range === undefined) reads.whole++
      return { stream: Readable.from([bytes]) }
    },
  } as unknown as FileStore
  const spec = { accept: parseAccept(['text/*']) } as UploadSpec
  const object = { key: 'a', size: bytes.length, crc32c: known } as WrittenObject
  const verify = (sums: Pick<Partial<UploadRow>, 'sha256' | 'crc32c'>) =>
    verifyUpload(store, { row: { size: bytes.length, type: 'text/plain', ...sums } as UploadRow, spec, object })
  return { verify, reads }
}

test.each([
  [{ crc32c }, crc32c, 0],
  [{ crc32c }, undefined, 1],
  [{ sha256 }, crc32c, 1],
  [{ sha256, crc32c }, undefined, 1],
  [{}, crc32c, 0],
])('bytes of %o at a store that knows %s are read %i times for it', async (sums, known, times) => {
  const { verify, reads } = setup(known)
  expect(await verify(sums)).toMatchObject({ type: 'text/plain' })
  expect(reads.whole).toBe(times)
})

test.each([
  [{ crc32c: crc32cOf(other) }, crc32c],
  [{ crc32c: crc32cOf(other) }, undefined],
  [{ crc32c: crc32cOf(other), sha256 }, crc32c],
  [{ crc32c, sha256: sha256Of(other) }, crc32c],
  [{ crc32c: crc32cOf(other), sha256 }, undefined],
])('bytes that are not of %o are refused at a store that knows %s', async (sums, known) => {
  await refused(setup(known).verify(sums), 'PLIMSOLL_UPLOAD_REFUSED')
})
