import { constants } from 'node:fs'
import { open, unlink, type FileHandle } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { BodyReader } from '../../body-reader.ts'
import { fileCorrupt } from '../../file-errors.ts'
import { damaged, ifThere } from './disk-errors.ts'
import type { DiskFolder } from './disk-folder.ts'
import { FileSource, type OpenPiece } from './file-source.ts'
import { readParts, wholeName, type PartFile } from './part-files.ts'
import { processMark } from './process-mark.ts'
import { writeBlocks } from './write-blocks.ts'

/** Where a part is to lie. */
export interface PartPlace {
  readonly number: number
  readonly size: number
  readonly offset: number
  readonly name: string
}

/**
 * Opens the whole file of an upload, to write a part to its place in it, and notes that somebody does; the note becomes the part's by its
 * name. Undefined when that place is not free: another part has some of it, or is being written, or the file is an object's by now. Under
 * the lock of the upload.
 */
export async function claimPlace(
  folder: string,
  { number, size, offset, name }: PartPlace,
): Promise<{ readonly file: FileHandle; readonly path: string } | undefined> {
  const { parts, claims } = await readParts(folder)
  const meets = (other: { readonly offset: number | undefined; readonly size: number }): boolean =>
    other.offset !== undefined && other.offset < offset + size && offset < other.offset + other.size
  if (parts.some(meets) || claims.some((claim) => !claim.ended && meets(claim))) return undefined
  for (const claim of claims) if (claim.ended) await ifThere(unlink(claim.path))
  const file = await openWhole(folder, constants.O_CREAT)
  try {
    if (await isShared(file)) {
      await file.close()
      return undefined
    }
    const path = join(folder, `${number}.${size}.${name}.${offset}.${processMark}`)
    await (await open(path, 'wx')).close()
    return { file, path }
  } catch (error) {
    await file.close()
    throw error
  }
}

/**
 * Makes the whole file of an upload what an object of `parts`, in their order, has to be, and resolves to its path: what has come to other
 * files is copied to its place. Undefined where that cannot be: parts lie elsewhere than they belong, somebody may still write to the
 * file, or it has something that does not belong to the object. Under the lock of the upload.
 */
export async function fillWhole(
  folder: string,
  parts: readonly PartFile[],
  { key, disk }: { readonly key: string; readonly disk: DiskFolder },
): Promise<string | undefined> {
  const there = await readParts(folder)
  const own = new Set(parts.map(({ path }) => path))
  const missing: { readonly part: PartFile; readonly at: number }[] = []
  let size = 0
  for (const part of parts) {
    if (part.offset === undefined) missing.push({ part, at: size })
    else if (part.offset !== size) return undefined
    size += part.size
  }
  if (missing.length === parts.length) return undefined
  if (there.parts.some(({ path, offset }) => offset !== undefined && !own.has(path))) return undefined
  if (there.claims.some(({ ended }) => !ended)) return undefined
  const path = join(folder, wholeName)
  const file = await openWhole(folder, 0)
  try {
    const before = (await file.stat()).size
    if (missing.length === 0 && before === size) return path
    if (await isShared(file)) return undefined
    for (const { part, at } of missing) {
      const source = new FileSource([() => openPart(part, { key, disk })], disk.root)
      await writeBlocks(file, new BodyReader(source, { key, size: part.size, mostBytes: part.size }), at)
    }
    if (before > size) await file.truncate(size)
    await file.sync()
    const after = (await file.stat()).size
    if (after !== size) throw damaged(path, `has ${after} bytes instead of ${size}`)
    return path
  } finally {
    await file.close()
  }
}

/** The bytes of a part, wherever they lie. @throws PLIMSOLL_FILE_CORRUPT */
export async function openPart(
  { path, number, size, offset }: PartFile,
  { key, disk }: { readonly key: string; readonly disk: DiskFolder },
): Promise<OpenPiece> {
  const file = await disk.open(offset === undefined ? path : join(dirname(path), wholeName))
  if (file === undefined) throw fileCorrupt(key, `part ${number} has gone`)
  return { file, first: offset ?? 0, size }
}

function openWhole(folder: string, create: number): Promise<FileHandle> {
  return open(join(folder, wholeName), constants.O_RDWR | constants.O_NOFOLLOW | create, 0o666)
}

/** Whether a file has another name: that of an object, which nobody may change. */
async function isShared(file: FileHandle): Promise<boolean> {
  return (await file.stat()).nlink > 1
}
