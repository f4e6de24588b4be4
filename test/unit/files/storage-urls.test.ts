import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { gcsStore } from '../../../src/files/drivers/gcs/gcs-store.ts'
import { s3Store } from '../../../src/files/drivers/s3/s3-store.ts'
import { parseDiskUrl } from '../../../src/files/drivers/disk/parse-disk-url.ts'
import { parseGcsUrl } from '../../../src/files/drivers/gcs/parse-gcs-url.ts'
import { parseS3Url } from '../../../src/files/drivers/s3/parse-s3-url.ts'

describe('a URL of a folder', () => {
  test('names a folder, relative or not', () => {
    expect(parseDiskUrl('file:.plimsoll/files')).toEqual({ folder: '.plimsoll/files' })
    expect(parseDiskUrl('file:/var/lib/app')).toEqual({ folder: '/var/lib/app' })
    expect(parseDiskUrl('file:///var/lib/a%20b')).toEqual({ folder: '/var/lib/a b' })
    expect(parseDiskUrl('file:100%')).toEqual({ folder: '100%' })
  })

  test.each(['file:', 'file://host/share', 'file:a?b=c', 'file:a#b'])('is refused as %s', (url) => {
    expect(() => parseDiskUrl(url)).toThrow(/give file:PATH/)
  })
})

describe('a URL of S3', () => {
  test('names a bucket, a region and a prefix', () => {
    expect(parseS3Url('s3://my-bucket?region=eu-north-1&prefix=app/files&timeout=5s')).toEqual({
      name: 's3://my-bucket?region=eu-north-1&prefix=app/files&timeout=5s',
      bucket: 'my-bucket',
      prefix: 'app/files/',
      region: 'eu-north-1',
      endpoint: undefined,
      pathStyle: false,
      credentials: undefined,
      timeoutMs: 5000,
    })
  })

  test('takes credentials as they are, and shows them to nobody', () => {
    const { credentials, name, region } = parseS3Url(
      's3://AK:s/+e@c%20%@b.c?endpoint=http://127.0.0.1:9000&pathStyle=true',
    )
    expect(credentials).toEqual({ accessKeyId: 'AK', secretAccessKey: 's/+e@c%20%' })
    expect(name).toBe('s3://AK:***@b.c?endpoint=http://127.0.0.1:9000&pathStyle=true')
    expect(region, 'one is needed to sign').toBe('us-east-1')
  })

  test.each([
    ['s3://', /give s3:/],
    ['s3://b', /no name of a bucket/],
    ['s3://key@bucket', /both a key and a secret/],
    ['s3://:secret@bucket', /both a key and a secret/],
    ['s3://bucket/folder', /give s3:/],
    ['s3://bucket?regoin=x', /'regoin' is not among/],
    ['s3://bucket?endpoint=example.com', /endpoint is no address/],
    ['s3://bucket?endpoint=https://a:b@example.com', /endpoint is no address/],
    ['s3://bucket?pathStyle=yes', /give true or false/],
    ['s3://bucket?prefix=../x', /its prefix is/],
    ['s3://bucket?prefix=/x', /its prefix is/],
    ['s3://bucket?timeout=soon', /timeout is 'soon'/],
  ])('is refused as %s', (url, reason) => {
    expect(() => parseS3Url(url)).toThrow(reason)
  })

  test.each(['s3://bucket', 's3://bucket?region='])('without a region, as %s, says how to give one', async (url) => {
    for (const name of ['AWS_REGION', 'AWS_DEFAULT_REGION', 'AWS_PROFILE']) vi.stubEnv(name, undefined)
    for (const name of ['AWS_CONFIG_FILE', 'AWS_SHARED_CREDENTIALS_FILE']) vi.stubEnv(name, '/nowhere')
    onTestFinished(() => void vi.unstubAllEnvs())
    const store = await s3Store({ url })
    onTestFinished(() => store.close())
    const refused = {
      code: 'PLIMSOLL_STORAGE_UNAVAILABLE',
      message: expect.stringMatching(/has no region; give one, such/),
    }
    await expect(store.head('a')).rejects.toMatchObject(refused)
  })

  test('is refused without its secret in the message', () => {
    expect(() => parseS3Url('s3://AK:verysecret@bucket?what=1')).toThrow(/^(?!.*verysecret)/)
  })
})

describe('a URL of Google Cloud Storage', () => {
  test('names a bucket, a prefix and a key file', () => {
    expect(parseGcsUrl('gs://my_bucket?prefix=a&keyFile=/etc/key.json&endpoint=http://127.0.0.1:4443')).toMatchObject({
      bucket: 'my_bucket',
      prefix: 'a/',
      keyFile: '/etc/key.json',
      endpoint: 'http://127.0.0.1:4443',
      timeoutMs: 30_000,
    })
  })

  test.each([
    ['/nowhere/key.json', /keyFile is '\/nowhere\/key.json', which cannot be read \(ENOENT\)/],
    [import.meta.filename, /, which is no JSON/],
  ])('is refused with the key file %s, before the storage is asked', async (keyFile, message) => {
    const refused = { code: 'PLIMSOLL_OPTION_INVALID', message: expect.stringMatching(message) }
    await expect(gcsStore({ url: `gs://bucket?keyFile=${keyFile}` })).rejects.toMatchObject(refused)
  })

  test.each(['gs://', 'gs://user@bucket', 'gs://bucket?region=x', 'gs://bucket/x'])('is refused as %s', (url) => {
    expect(() => parseGcsUrl(url)).toThrow(/STORAGE_URL is/)
  })
})
