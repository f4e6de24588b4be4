import { expect, test } from 'vitest'
import type { StoredObject } from '../../../src/files/contract.ts'
import { copyInParts } from '../../../src/files/drivers/s3/s3-copies.ts'
import type { S3Client } from '../../../src/files/drivers/s3/s3-client.ts'

/** Copies of which a test says how each ends: nothing of a service is here but that it has been asked. */
function begin(sources: number, signal?: AbortSignal) {
  const asked: PromiseWithResolvers<object>[] = []
  const s3 = {
    sdk: { UploadPartCopyCommand: Object },
    send: () => {
      const copy = Promise.withResolvers<object>()
      asked.push(copy)
      return copy.promise
    },
  } as unknown as S3Client
  const source: StoredObject = {
    key: 'a',
    size: 6_000_000,
    etag: '"1"',
    type: 'video/mp4',
    crc32c: undefined,
    cacheControl: undefined,
    disposition: undefined,
    metadata: {},
    modifiedAt: 0,
  }
  let settled = false
  const copies = copyInParts(
    s3,
    Array.from({ length: sources }, () => source),
    {
      at: { Bucket: 'b', Key: 'k', UploadId: 'u' },
      sourceOf: (key) => key,
      signal,
    },
  ).finally(() => (settled = true))
  copies.catch(() => {})
  return { asked, copies, settled: () => settled }
}

const turns = async (): Promise<void> => {
  for (let n = 0; n < 20; n++) await Promise.resolve()
}

test('copies that are on their way are waited for when one has failed, for a part that arrives after the end of an upload stays', async () => {
  const { asked, copies, settled } = begin(6)
  expect(asked).toHaveLength(4)
  asked[1]!.reject(new Error('refused'))
  asked[0]!.resolve({ CopyPartResult: { ETag: '"p"' } })
  await turns()
  expect(settled()).toBe(false)
  asked[2]!.reject(new Error('refused too'))
  asked[3]!.resolve({ CopyPartResult: { ETag: '"p"' } })
  await expect(copies).rejects.toThrow('refused')
  expect(asked).toHaveLength(4)
})

test('copies that are on their way are waited for when they are given up, and no others begin', async () => {
  const controller = new AbortController()
  const { asked, copies, settled } = begin(6, controller.signal)
  controller.abort(new Error('enough'))
  await turns()
  expect(settled()).toBe(false)
  for (const copy of asked) copy.resolve({ CopyPartResult: { ETag: '"p"' } })
  await expect(copies).rejects.toThrow('enough')
  expect(asked).toHaveLength(4)
})

test('parts come in the order of what they are copied from', async () => {
  const { asked, copies } = begin(5)
  for (const [n, copy] of asked.toReversed().entries()) copy.resolve({ CopyPartResult: { ETag: String(n) } })
  await expect.poll(() => asked.length).toBe(5)
  asked[4]!.resolve({ CopyPartResult: { ETag: 'last' } })
  const parts = await copies
  expect(parts.map(({ PartNumber, ETag }) => [PartNumber, ETag])).toEqual([
    [1, '3'],
    [2, '2'],
    [3, '1'],
    [4, '0'],
    [5, 'last'],
  ])
})
