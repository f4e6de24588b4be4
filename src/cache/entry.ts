import type {} from '../core/buffer-slices.ts'
import { hash } from 'node:crypto'
import { promisify } from 'node:util'
import { zstdCompress, zstdDecompress } from 'node:zlib'
import { stampLength } from './contract.ts'
import type { EntryTimes } from './keep-plan.ts'
import { decodeValue, isReadable, type EncodedValue, type ValueKind } from './value-codec.ts'

const compress = promisify(zstdCompress)
const decompress = promisify(zstdDecompress)

/** The version of the layout below. It is part of every generation, so that what another layout wrote is missed. */
const layout = '1'

/**
 * What a store keeps under a key: the stamp (generation and token), one byte for the kind with its highest bit set when the
 * payload is compressed, the fresh and the stale time in milliseconds as doubles, then the payload.
 */
const headerLength = stampLength + 1 + 8 + 8
const compressedBit = 0x80
const half = stampLength / 2

/** An entry read from a store. */
export interface OpenEntry extends EntryTimes {
  readonly generation: string
  readonly token: string
  readonly kind: ValueKind
  /** Not compressed. */
  readonly payload: Buffer
}

/**
 * The name of a set of versions: 16 characters that another set, another version of the value's form or another layout of
 * entries does not have. 96 bits of SHA-1: nobody chooses the versions.
 */
export function generationOf(versions: readonly string[], form: string): string {
  const text = `${form}\n${versions.length === 1 ? versions[0]! : versions.join('\n')}`
  let generation = generations.get(text)
  if (generation === undefined) {
    generation = hash('sha1', `${layout}\n${text}`, 'base64url').slice(0, half)
    if (generations.size >= mostGenerations) generations.clear()
    generations.set(text, generation)
  }
  return generation
}

/** Those that were asked for before: most reads are under versions that others were under. */
const generations = new Map<string, string>()
const mostGenerations = 10_000

/** True for the bytes of an entry that was filled under `generation`. */
export function isOfGeneration(bytes: Buffer, generation: string): boolean {
  return bytes.latin1Slice(0, half) === generation
}

/** The bytes of an entry. `compressAbove`: payloads of at least so many bytes are compressed, if that makes them smaller. */
export async function sealEntry(
  stamp: { readonly generation: string; readonly token: string },
  { kind, payload }: EncodedValue,
  { ttlMs, staleMs, compressAbove }: EntryTimes & { readonly compressAbove: number },
): Promise<Buffer> {
  let stored = payload
  let flags: number = kind
  if (payload.length >= compressAbove) {
    const smaller = await compress(payload)
    if (smaller.length < payload.length * 0.9) {
      stored = smaller
      flags |= compressedBit
    }
  }
  const bytes = Buffer.allocUnsafe(headerLength + stored.length)
  bytes.write(stamp.generation + stamp.token, 0, 'latin1')
  bytes[stampLength] = flags
  bytes.writeDoubleLE(ttlMs, stampLength + 1)
  bytes.writeDoubleLE(staleMs, stampLength + 9)
  stored.copy(bytes, headerLength)
  return bytes
}

/** Reads an entry, at once unless it is compressed; undefined when its bytes are none, or none of ours to read. */
export function openEntry(bytes: Buffer): OpenEntry | undefined | Promise<OpenEntry | undefined> {
  if (bytes.length < headerLength) return undefined
  const stored = bytes.subarray(headerLength)
  if ((bytes[stampLength]! & compressedBit) === 0) return entryOf(bytes, stored)
  return decompress(stored).then(
    (payload) => entryOf(bytes, payload),
    () => undefined,
  )
}

function entryOf(bytes: Buffer, payload: Buffer): OpenEntry | undefined {
  const kind = (bytes[stampLength]! & ~compressedBit) as ValueKind
  if (!isReadable(kind, payload)) return undefined
  return {
    generation: bytes.latin1Slice(0, half),
    token: bytes.latin1Slice(half, stampLength),
    kind,
    payload,
    ttlMs: bytes.readDoubleLE(stampLength + 1),
    staleMs: bytes.readDoubleLE(stampLength + 9),
  }
}

/** The value of an entry; frozen, or a copy of its own for every call. @throws when its payload cannot be read. */
export function valueOf({ kind, payload }: OpenEntry): unknown {
  return decodeValue(kind, payload)
}
