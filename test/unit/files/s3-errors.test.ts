import { Readable } from 'node:stream'
import { S3Client } from '@aws-sdk/client-s3'
import { expect, test } from 'vitest'
import { s3Store } from '../../../src/files/drivers/s3/s3-store.ts'

/** A store whose service answers everything with one error. */
async function setup(error: string) {
  const body = Readable.from([`<Error>${error}</Error>`])
  const client = new S3Client({
    region: 'eu-north-1',
    credentials: { accessKeyId: 'AKTEST', secretAccessKey: 'SK' },
    requestChecksumCalculation: 'WHEN_REQUIRED',
    requestHandler: {
      handle: async () => ({ response: { statusCode: 400, headers: { 'content-type': 'application/xml' }, body } }),
    } as never,
  })
  return s3Store({ client, bucket: 'files' })
}

test.each([
  ['<MaxSizeAllowed>5368709120</MaxSizeAllowed>', 'up to 5368709120 bytes in one request'],
  ['', 'its own limit, which it does not say'],
])('a file that is too large for the service names the limit, where it says %j', async (said, expected) => {
  const store = await setup(`<Code>EntityTooLarge</Code><Message>Too large</Message>${said}`)
  await expect(store.put('a', Buffer.from('x'))).rejects.toMatchObject({
    code: 'PLIMSOLL_FILE_TOO_LARGE',
    message: expect.stringContaining(expected),
  })
})
