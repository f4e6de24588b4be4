import { createHash, randomBytes } from 'node:crypto'
import { CRC32C } from '@google-cloud/storage'
import { expect } from 'vitest'
import type { FileBody, FileStore, OpenObject } from '../../src/files/contract.ts'

/** What a store may be unable to do; a case that needs it is skipped there, with the reason printed. */
export type FileNeed =
  | 'direct'
  | 'post'
  | 'crc32c'
  | 'signed-sha256'
  | 'signed-crc32c'
  | 'unchecked-crc32c'
  | 'signed-cache-control'
  | 'localPath'

/** A store behind the contract. */
export interface FileEngine {
  readonly name: string
  /** Why it cannot do something. */
  readonly lacks: Readonly<Partial<Record<FileNeed, string>>>
  /** The store as another process would open it; it is closed by the test. */
  open(): Promise<FileStore>
}

/** One promise of the contract, run against every store. */
export interface FileCase {
  readonly name: string
  readonly needs?: readonly FileNeed[]
  run(engine: FileEngine): Promise<void>
}

/** A key of a test's own. */
export function unique(name = 'file.bin'): string {
  return `t-${randomBytes(8).toString('hex')}/${name}`
}

/** All that a stream has. */
export async function read({ stream }: OpenObject): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

/** The bytes under a key. */
export async function bytesAt(store: FileStore, key: string): Promise<Buffer> {
  return read(await store.get(key))
}

/** Bytes that nobody could have guessed. */
export function someBytes(size: number): Buffer {
  return randomBytes(size)
}

/** A body whose length cannot be seen. */
export async function* inChunks(bytes: Buffer, size = 50_000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

/** In hexadecimal. */
export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** In hexadecimal, by Google's own code. */
export function crc32cOf(bytes: Uint8Array): string {
  const sum = new CRC32C()
  sum.update(Buffer.from(bytes))
  return Buffer.from(sum.toString(), 'base64').toString('hex')
}

/** Expects a rejection with a code. */
export async function refused(work: Promise<unknown>, code: string): Promise<void> {
  await expect(work).rejects.toMatchObject({ code })
}

/** All keys that begin with a prefix, by pages. */
export async function keysOf(store: FileStore, prefix: string, size = 1000): Promise<string[]> {
  const keys: string[] = []
  let after: string | undefined
  do {
    const page = await store.list(prefix, { size, after })
    expect(page.objects.length).toBeLessThanOrEqual(size)
    keys.push(...page.objects.map(({ key }) => key))
    after = page.next
  } while (after !== undefined)
  return keys
}

/** In the order of their bytes, which is not that of UTF-16. */
export function sorted(keys: readonly string[]): string[] {
  return keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
}

/** Stores a part, and gives what `complete` needs of it. */
export async function putPart(
  store: FileStore,
  upload: { readonly key: string; readonly id: string },
  { number, bytes, body = bytes }: { readonly number: number; readonly bytes: Buffer; readonly body?: FileBody },
): Promise<{ readonly number: number; readonly etag: string }> {
  return store.uploads.putPart(upload, number, body, { size: bytes.length })
}
