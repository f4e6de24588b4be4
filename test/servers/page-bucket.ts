import { randomBytes } from 'node:crypto'
import { CreateBucketCommand, PutBucketCorsCommand, S3Client } from '@aws-sdk/client-s3'
import { parseS3Url } from '../../src/files/drivers/s3/parse-s3-url.ts'
import { corsRules } from './cors-rules.ts'
import { radosgwUrl } from './radosgw.ts'

/** A bucket that pages send to and play from. */
export interface PageBucket {
  /** A STORAGE_URL. */
  readonly url: string
  /** The origin that its addresses have. */
  readonly origin: string
  /** Lets the pages of an origin in, by the rule that the documentation has for it. They may read, too. */
  letIn(origin: string): Promise<void>
}

/** Makes a bucket of a test's own; it goes with the gateway. */
export async function makePageBucket(): Promise<PageBucket> {
  const shared = await radosgwUrl()
  const { bucket: known, endpoint, credentials, region } = parseS3Url(shared)
  const bucket = `pages-${randomBytes(6).toString('hex')}`
  const send = async (command: CreateBucketCommand | PutBucketCorsCommand): Promise<void> => {
    const client = new S3Client({
      endpoint: endpoint!,
      region: region!,
      credentials: credentials!,
      forcePathStyle: true,
    })
    await client.send(command as PutBucketCorsCommand)
    client.destroy()
  }
  await send(new CreateBucketCommand({ Bucket: bucket }))
  return {
    url: shared.replace(`@${known}?`, `@${bucket}?`),
    origin: new URL(endpoint!).origin,
    letIn(origin) {
      // One rule for both: Ceph looks at the first one of an origin alone.
      const CORSRules = corsRules(origin).s3.CORSRules.map((rule) => ({
        ...rule,
        AllowedMethods: [...rule.AllowedMethods, 'GET', 'HEAD'],
        AllowedHeaders: [...rule.AllowedHeaders, 'range'],
      }))
      return send(new PutBucketCorsCommand({ Bucket: bucket, CORSConfiguration: { CORSRules } }))
    },
  }
}
