import { parseDuration, type Duration } from '../../../core/duration.ts'
import { redactUrl } from '../../../core/redact.ts'
import { checkBucketUrl, defaultTimeoutMs, invalidUrl, readPrefix } from '../../bucket-url.ts'

/** What a `gs://` URL says. */
export interface GcsPlace {
  /** For messages. */
  readonly name: string
  readonly bucket: string
  /** What every key begins with there; empty, or with a slash at its end. */
  readonly prefix: string
  /** Where the service is, if it is not Google's. */
  readonly endpoint: string | undefined
  /** A file with the key of a service account. */
  readonly keyFile: string | undefined
  readonly timeoutMs: number
}

const form = /^gs:\/\/([^@/?#:]+)\/?(?:\?([^#]*))?$/i
const parameters = ['endpoint', 'keyFile', 'prefix', 'timeout']

/**
 * Reads `gs://bucket[?prefix=…&keyFile=…&endpoint=…&timeout=…]`.
 *
 * @throws PLIMSOLL_OPTION_INVALID
 */
export function parseGcsUrl(url: string): GcsPlace {
  const name = redactUrl(url)
  const [, bucket, query] = form.exec(url) ?? []
  if (bucket === undefined) throw invalidUrl(name, 'give gs://bucket, or gs://bucket?keyFile=/path/to/key.json')
  const values = new URLSearchParams(query)
  checkBucketUrl(name, { bucket, values, parameters })
  return {
    name,
    bucket,
    prefix: readPrefix(values.get('prefix') ?? '', name),
    endpoint: values.get('endpoint') ?? undefined,
    keyFile: values.get('keyFile') ?? undefined,
    timeoutMs: parseDuration((values.get('timeout') ?? defaultTimeoutMs) as Duration, 'STORAGE_URL?timeout'),
  }
}
