import { createHash } from 'node:crypto'
import { CRC32C } from '@google-cloud/storage'

/** An answer other than 2xx. */
export class StorageError extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/** An object, with its facts as the JSON API has them. */
export interface GoogleObject {
  readonly name: string
  readonly generation: string
  readonly updated: string
  readonly bytes: Buffer
  readonly isComposed: boolean
  readonly contentType: string | undefined
  readonly cacheControl: string | undefined
  readonly contentDisposition: string | undefined
  readonly metadata: Readonly<Record<string, string>> | undefined
}

/** The objects of a bucket, and what is under way. */
export class GoogleBucket {
  readonly name: string
  readonly objects = new Map<string, GoogleObject>()
  /** Resumable uploads by their ids. */
  readonly sessions = new Map<
    string,
    { name: string; resource: object; condition: string | undefined; bytes: Buffer }
  >()
  /** Multipart uploads by their ids. */
  readonly uploads = new Map<string, { name: string; resource: object; begun: Date; parts: Map<number, Buffer> }>()
  #generation = Date.now() * 1000

  constructor(name: string) {
    this.name = name
  }

  need(name: string): GoogleObject {
    const object = this.objects.get(name)
    if (object === undefined) throw new StorageError(404, `No such object: ${this.name}/${name}`)
    return object
  }

  /** @throws 412 unless the object has that generation; 0 is that of none */
  check(name: string, condition: string | undefined): void {
    if (condition === undefined || condition === (this.objects.get(name)?.generation ?? '0')) return
    throw new StorageError(412, 'At least one of the pre-conditions you specified did not hold.')
  }

  put(
    name: string,
    bytes: Buffer,
    {
      resource,
      condition,
      isComposed = false,
    }: { readonly resource: object; readonly condition: string | undefined; readonly isComposed?: boolean },
  ): object {
    if (Buffer.byteLength(name) > 1024) throw new StorageError(400, 'The name is too long')
    this.check(name, condition)
    const { contentType, cacheControl, contentDisposition, metadata, crc32c } = resource as Partial<GoogleObject> & {
      readonly crc32c?: string
    }
    if (crc32c !== undefined) checkCrc32c(bytes, crc32c)
    const object: GoogleObject = {
      name,
      generation: String(++this.#generation),
      updated: new Date().toISOString(),
      bytes,
      isComposed,
      contentType,
      cacheControl,
      contentDisposition,
      metadata,
    }
    this.objects.set(name, object)
    return this.resource(object)
  }

  /** As the JSON API tells it: what is undefined is left out; a composed object has no MD5. */
  resource({ bytes, isComposed, metadata, ...facts }: GoogleObject): object {
    return {
      ...facts,
      size: String(bytes.length),
      metadata: metadata && Object.keys(metadata).length > 0 ? metadata : undefined,
      crc32c: crc32cOf(bytes),
      md5Hash: isComposed ? undefined : createHash('md5').update(bytes).digest('base64'),
    }
  }

  list(query: URLSearchParams): object {
    const prefix = query.get('prefix') ?? ''
    const from = query.get('pageToken') ?? query.get('startOffset') ?? ''
    const most = Number(query.get('maxResults') ?? 1000)
    const names = [...this.objects.keys()]
      .filter((name) => name.startsWith(prefix) && Buffer.compare(Buffer.from(name), Buffer.from(from)) >= 0)
      .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    const items = names.slice(0, most).map((name) => this.resource(this.need(name)))
    return { items: items.length > 0 ? items : undefined, nextPageToken: names[most] }
  }
}

/** As the service writes it. */
export function crc32cOf(bytes: Buffer): string {
  const sum = new CRC32C()
  sum.update(bytes)
  return sum.toString()
}

/** @throws 400 for bytes that have not the CRC-32C that was sent with them */
export function checkCrc32c(bytes: Buffer, expected: string): void {
  const actual = crc32cOf(bytes)
  if (actual === expected) return
  throw new StorageError(400, `Provided CRC32C "${expected}" doesn't match calculated CRC32C "${actual}".`)
}
