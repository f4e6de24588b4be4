import { radosgwUrl } from '../servers/radosgw.ts'
import { Wire } from '../servers/wire.ts'

/** A bucket behind a wire. */
export interface WiredBucket {
  /** What the storage is reached by: a STORAGE_URL through the wire. */
  readonly url: string
  /** The same bucket without the wire, for whoever looks at it meanwhile. */
  readonly direct: string
  readonly wire: Wire
}

/** The bucket of the test run, reached over a wire that can be cut or go dead; `timeout` is that of one call. */
export async function wiredBucket({ timeout }: { readonly timeout: string }): Promise<WiredBucket> {
  const direct = await radosgwUrl()
  // No URL by its own parser: the secret has a slash.
  const wire = new Wire(decodeURIComponent(/endpoint=([^&]*)/.exec(direct)![1]!))
  await wire.join()
  const endpoint = encodeURIComponent(wire.url.replace(/\/$/, ''))
  return { wire, direct, url: `${direct.replace(/endpoint=[^&]*/, `endpoint=${endpoint}`)}&timeout=${timeout}` }
}

/** How a storage is away. One that is stalled takes connections, and never answers. */
export type Absence = 'refused' | 'stalled'

/** Takes the bucket away; resolves to what brings it back. */
export async function takeAway({ wire }: WiredBucket, how: Absence): Promise<() => Promise<void>> {
  if (how === 'refused') {
    await wire.cut()
    return () => wire.join()
  }
  wire.goDead()
  return async () => {
    wire.comeBack()
    wire.drop()
  }
}
