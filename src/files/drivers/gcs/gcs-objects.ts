import type { IncomingHttpHeaders } from 'node:http'
import type { StoredObject } from '../../contract.ts'
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
  readonly metadata?: Readonly<Record<string, string>>
}

/** The upload that an object was made by, in its metadata; not given back. */
export const uploadMark = 'plimsoll-upload'

/** Facts as the JSON API takes them. */
export function toResource({ type, cacheControl, disposition, metadata }: CheckedFacts): object {
  return { contentType: type, cacheControl, contentDisposition: disposition, metadata }
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

/** The generation that an ETag names; one that no object has where it is none of ours. */
export function generationOf(etag: string): string {
  return /^"g(\d+)"$/.exec(etag)?.[1] ?? '1'
}

function shown(metadata: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(metadata).filter(([name]) => name !== uploadMark))
}

function wholeSeconds(ms: number): number {
  return Math.floor((Number.isNaN(ms) ? 0 : ms) / 1000) * 1000
}
