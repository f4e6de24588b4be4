import { parseDuration, type Duration } from '../../../core/duration.ts'
import { showValue } from '../../../core/errors.ts'
import { redactUrl } from '../../../core/redact.ts'
import { checkBucketUrl, defaultTimeoutMs, invalidUrl, readPrefix } from '../../bucket-url.ts'

/** What an `s3://` URL says. */
export interface S3Place {
  /** For messages; without secrets. */
  readonly name: string
  readonly bucket: string
  /** What every key begins with there; empty, or with a slash at its end. */
  readonly prefix: string
  readonly region: string | undefined
  /** Where the service is, if it is not Amazon's. */
  readonly endpoint: string | undefined
  readonly pathStyle: boolean
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string } | undefined
  readonly timeoutMs: number
}

const form = /^s3:\/\/(?:([^?#]*)@)?([^@/?#:]+)\/?(?:\?([^#]*))?$/i
const parameters = ['region', 'endpoint', 'pathStyle', 'prefix', 'timeout']

/**
 * Reads `s3://[key:secret@]bucket[?region=…&endpoint=…&pathStyle=true&prefix=…&timeout=…]`.
 *
 * @throws PLIMSOLL_OPTION_INVALID
 */
export function parseS3Url(url: string): S3Place {
  const name = redactUrl(url)
  const [, user, bucket, query] = form.exec(url) ?? []
  if (bucket === undefined)
    throw invalidUrl(name, 'give s3://bucket?region=eu-north-1, or s3://key:secret@bucket?endpoint=…')
  const values = new URLSearchParams(query)
  checkBucketUrl(name, { bucket, values, parameters })
  const endpoint = values.get('endpoint') ?? undefined
  const style = values.get('pathStyle')
  if (style !== null && style !== 'true' && style !== 'false') {
    throw invalidUrl(name, `pathStyle is ${showValue(style)}; give true or false`)
  }
  return {
    name,
    bucket,
    prefix: readPrefix(values.get('prefix') ?? '', name),
    // A service of one's own seldom has regions, and the signature needs one.
    region: values.get('region') || (endpoint === undefined ? undefined : 'us-east-1'),
    endpoint,
    pathStyle: style === 'true',
    credentials: readUser(user, name),
    timeoutMs: parseDuration((values.get('timeout') ?? defaultTimeoutMs) as Duration, 'STORAGE_URL?timeout'),
  }
}

/** People forget to encode their secrets, which have slashes and plus signs: a stray `%` is taken as it is. */
function readUser(text: string | undefined, name: string): S3Place['credentials'] {
  if (text === undefined) return undefined
  const colon = text.indexOf(':')
  if (colon < 1 || colon === text.length - 1)
    throw invalidUrl(name, 'give both a key and a secret before the @, or neither')
  return { accessKeyId: decode(text.slice(0, colon)), secretAccessKey: decode(text.slice(colon + 1)) }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
