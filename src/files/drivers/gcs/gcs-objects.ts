import type { IncomingHttpHeaders } from 'node:http'
import { crc32cOf, toBase64 } from '../../checksums.ts'
import type { Checksums, StoredObject } from '../../contract.ts'
import { defaultType, type CheckedFacts } from '../../object-facts.ts'

/** An object as the JSON API has it; what else it has is not asked for. */
export interface GcsObject {
  readonly name: string
  readonly size: string
  readonly generation: string
  readonly updated: string
  readonly contentType?: string
  readonly cacheControl?: string
  readonly contentDisposition?: string
  readonly md5Hash?: string
  readonly crc32c?: string
  readonly metadata?: Readonly<Record<string, string>>
}

/** The upload that an object was made by, in its metadata; not given back. */
export const uploadMark = 'plimsoll-upload'

/** Facts as the JSON API takes them; it refuses bytes that have not a CRC-32C that is given. */
export function toResource(
  { type, cacheControl, disposition, metadata }: CheckedFacts,
  { crc32c }: Checksums = {},
): object {
  return {
    contentType: type,
    cacheControl,
    contentDisposition: disposition,
    metadata,
    crc32c: crc32c && toBase64(crc32c),
  }
}

/** How the XML API is told the CRC-32C of the bytes of a request: it refuses others. */
export function toHash({ crc32c }: Checksums): Record<string, string> {
  return crc32c === undefined ? {} : { 'x-goog-hash': `crc32c=${toBase64(crc32c)}` }
}

/** Facts as the XML API takes them. */
export function toHeaders({
  type,
  cacheControl,
  disposition,
  metadata,
}: CheckedFacts): Record<string, string | undefined> {
  return {
    'content-type': type,
    'cache-control': cacheControl,
    'content-disposition': disposition,
    ...Object.fromEntries(Object.entries(metadata).map(([name, value]) => [`x-goog-meta-${name}`, value])),
  }
}

/** What the JSON API says of an object. */
export function fromResource(key: string, object: GcsObject): StoredObject {
  return {
    key,
    size: Number(object.size),
    etag: toEtag(object.generation),
    crc32c: crc32cOf(object.crc32c),
    type: object.contentType ?? defaultType,
    modifiedAt: wholeSeconds(Date.parse(object.updated)),
    cacheControl: object.cacheControl,
    disposition: object.contentDisposition,
    metadata: shown(object.metadata ?? {}),
  }
}

/** What the XML API says of an object. */
export function fromHeaders(key: string, headers: IncomingHttpHeaders, size: number): StoredObject {
  const metadata: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith('x-goog-meta-')) metadata[name.slice('x-goog-meta-'.length)] = String(value)
  }
  return {
    key,
    size,
    etag: toEtag(String(headers['x-goog-generation'])),
    crc32c: crc32cOf(/crc32c=([^,\s]+)/.exec(String(headers['x-goog-hash']))?.[1]),
    type: headers['content-type'] ?? defaultType,
    modifiedAt: wholeSeconds(Date.parse(headers['last-modified'] ?? '')),
    cacheControl: headers['cache-control'],
    disposition: headers['content-disposition'],
    metadata: shown(metadata),
  }
}

/** Generations are never used again: one is a strong validator. */
export function toEtag(generation: string): string {
  return `"g${generation}"`
}

const generationTag = /^"g(\d+)"$/

/** Whether an ETag is one that {@link toEtag} makes. */
export function isGenerationTag(etag: string): boolean {
  return generationTag.test(etag)
}

/** The generation that an ETag names; one that no object has where it is none of ours. */
export function generationOf(etag: string): string {
  return generationTag.exec(etag)?.[1] ?? '1'
}

function shown(metadata: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(metadata).filter(([name]) => name !== uploadMark))
}

function wholeSeconds(ms: number): number {
  return Math.floor((Number.isNaN(ms) ? 0 : ms) / 1000) * 1000
}
