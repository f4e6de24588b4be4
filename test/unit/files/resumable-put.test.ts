import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import type { GcsClient } from '../../../src/files/drivers/gcs/gcs-client.ts'
import { putResumable } from '../../../src/files/drivers/gcs/resumable-put.ts'
import { PartReader } from '../../../src/files/part-reader.ts'

/** A service that answers each chunk by 308 and how far it is; none says that this is all. */
function setup(reached: (calls: number) => string | undefined) {
  let calls = 0
  const send = async (): Promise<unknown> => {
    if (++calls > 100) throw new Error('It was asked for ever.')
    const range = reached(calls)
    return Object.assign(Readable.from([]), { statusCode: 308, headers: range === undefined ? {} : { range } })
  }
  const put = putResumable({ send } as unknown as GcsClient, new URL('https://storage.example/session'), {
    reader: new PartReader((async function* (): AsyncGenerator<Buffer> {})()),
    first: { bytes: Buffer.alloc(10), last: true },
    subject: { key: 'a' },
    signal: undefined,
  })
  return { put, calls: () => calls }
}

test.each([
  ['takes nothing', () => undefined],
  ['stays where it is', () => 'bytes=0-4'],
  ['has all and does not end', () => 'bytes=0-9'],
])('a resumable upload to a service that %s ends with an error', async (_, reached) => {
  const { put, calls } = setup(reached)
  await expect(put).rejects.toMatchObject({ code: 'PLIMSOLL_FILE_CORRUPT' })
  expect(calls()).toBeLessThan(10)
})

test('a resumable upload to a service that takes a little each time goes on', async () => {
  const { put, calls } = setup((calls) => `bytes=0-${Math.min(9, calls - 1)}`)
  await expect(put).rejects.toMatchObject({ code: 'PLIMSOLL_FILE_CORRUPT' })
  // Ten times a byte, and then it does not end.
  expect(calls()).toBeGreaterThan(10)
})
