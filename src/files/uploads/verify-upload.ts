import { ChecksumTally } from '../checksums.ts'
import type { Checksums, FileStore, LocalFile, WrittenObject } from '../contract.ts'
import { gathered } from '../file-body.ts'
import { fileChanged } from '../file-errors.ts'
import { pictureHeadBytes, pictureSize, pictureTypes, type PictureSize } from './picture-size.ts'
import { headBytes, realType, secondNature } from './real-type.ts'
import type { UploadSpec } from './types.ts'
import { refusedType, refusedUpload } from './upload-errors.ts'
import type { UploadRow } from './upload-row.ts'

const blockBytes = 256 * 1024

/** What is known of a file once it is verified. */
export interface VerifiedContent {
  readonly type: string
  readonly picture: PictureSize | undefined
}

/**
 * Verifies what has come: that it has the size that was announced, the checksums if any were, and that its first bytes say a type that is
 * taken; of a picture also how large it says it is, and that it is nothing else as well. For a SHA-256 all of it is read, since of parts no
 * store can say it, and for a CRC-32C where the store does not know it. Whoever knows that the store has compared one leaves it out.
 *
 * @throws PLIMSOLL_UPLOAD_REFUSED, PLIMSOLL_UPLOAD_TYPE_REFUSED
 */
export async function verifyUpload(
  store: FileStore,
  { row, spec, object }: { readonly row: UploadRow; readonly spec: UploadSpec; readonly object: WrittenObject },
): Promise<VerifiedContent> {
  const { size, sha256, crc32c } = row
  if (object.size !== size) throw refusedUpload(`it has ${object.size} bytes, and was announced with ${size}`)
  const isKnown = object.crc32c !== undefined
  if (isKnown && crc32c !== undefined && crc32c !== object.crc32c)
    throw refusedUpload(`its CRC-32C is ${object.crc32c}, not ${crc32c}`)
  await checkWhole(store, object, { sha256, crc32c: isKnown ? undefined : crc32c })
  const pictures = spec.mostPixels !== undefined
  const head = await readBytes(store, object, { first: 0, length: pictures ? pictureHeadBytes : headBytes })
  const type = await realType(head, row.type)
  if (type === undefined) throw refusedType(`not what it says, ${row.type}`, spec.accept.patterns)
  if (!spec.accept.has(type)) throw refusedType(type, spec.accept.patterns)
  if (spec.mostPixels === undefined) return { type, picture: undefined }
  if (!pictureTypes.has(type)) throw refusedType(type, [...pictureTypes])
  const tail = await readBytes(store, object, { first: Math.max(0, size - headBytes), length: headBytes })
  const other = secondNature(head, tail)
  if (other !== undefined) throw refusedUpload(`it is a picture and ${other} at the same time`)
  const picture = pictureSize(head, type)
  if (picture === undefined || picture.width === 0 || picture.height === 0) {
    throw refusedUpload('its first bytes do not say how large the picture is')
  }
  const pixels = picture.width * picture.height
  if (pixels > spec.mostPixels) {
    throw refusedUpload(
      `the picture has ${picture.width} × ${picture.height} pixels, and ${spec.mostPixels} in all are taken`,
    )
  }
  return { type, picture }
}

async function checkWhole(store: FileStore, object: WrittenObject, expected: Checksums): Promise<void> {
  const sums = ChecksumTally.of(expected)
  if (sums === undefined) return
  const { openFile } = store.features
  if (openFile !== undefined) await sumFile(await openFile(object.key), object, sums)
  else {
    const { stream } = await store.get(object.key, { ifMatch: object.etag })
    for await (const chunk of stream) sums.update(chunk as Buffer)
  }
  const difference = sums.difference()
  if (difference !== undefined) throw refusedUpload(`its ${difference}`)
}

/** By one block: a stream would make a buffer for every one. */
async function sumFile(
  { object, file, release }: LocalFile,
  { key, etag }: WrittenObject,
  sums: ChecksumTally,
): Promise<void> {
  try {
    if (object.etag !== etag) throw fileChanged(key, etag)
    const block = Buffer.allocUnsafeSlow(blockBytes)
    for (let at = 0; at < object.size;) {
      const { bytesRead } = await file.read(block, 0, block.length, at)
      if (bytesRead === 0) throw new Error(`The file ends ${object.size - at} bytes before its end.`)
      sums.update(block.subarray(0, bytesRead))
      at += bytesRead
    }
  } finally {
    release()
  }
}

async function readBytes(
  store: FileStore,
  { key, size, etag }: WrittenObject,
  { first, length }: { readonly first: number; readonly length: number },
): Promise<Buffer> {
  if (size === 0) return Buffer.alloc(0)
  const { stream } = await store.get(key, { range: { first, last: Math.min(first + length, size) - 1 }, ifMatch: etag })
  return gathered(stream)
}
