import { opendir } from 'node:fs/promises'
import { join } from 'node:path'
import { ifThere } from './disk-errors.ts'
import type { DiskFolder } from './disk-folder.ts'
import { folderPath, parseName, type KeyEntry } from './key-path.ts'

/** Which keys are wanted. */
export interface KeysWanted {
  readonly prefix: string
  /** Those behind this one. Default: all. */
  readonly after?: string | undefined
}

/** So many names of a folder are held at once. */
const window = 1000

/** The keys of a store in the order of their bytes. Memory does not grow with their number: a large folder is read more than once. */
export async function* listKeys(folder: DiskFolder, { prefix, after = '' }: KeysWanted): AsyncGenerator<string> {
  const base = prefix.slice(0, prefix.lastIndexOf('/') + 1)
  const bounds = { prefix: Buffer.from(prefix), after: Buffer.from(after) }
  for await (const key of keysIn({ path: folderPath(folder.objects, base), base: Buffer.from(base), bounds })) {
    yield key.toString()
  }
}

interface Place {
  readonly path: string
  /** What the keys in it begin with. */
  readonly base: Buffer
  readonly bounds: { readonly prefix: Buffer; readonly after: Buffer }
}

interface Child extends KeyEntry {
  readonly path: string
  /** The key, or what the keys below begin with. */
  readonly text: Buffer
  /** Where it stands among its siblings. */
  readonly rank: Buffer
}

async function* keysIn(place: Place): AsyncGenerator<Buffer> {
  for (let from: Buffer | undefined; ;) {
    const { children, more } = await nextChildren(place, from)
    for (let n = 0; n < children.length; n++) {
      const child = children[n]!
      const next = children[n + 1]
      // What goes on behind `x` and what is below `x/` mingle, and with no other.
      if (child.kind === 'rest' && next?.kind === 'folder' && next.name.equals(child.name)) {
        yield* merged(keysBelow(place, child), keysBelow(place, next))
        n++
      } else {
        yield* keysBelow(place, child)
      }
    }
    if (!more) return
    from = children.at(-1)!.rank
  }
}

async function* keysBelow({ bounds }: Place, { kind, path, text }: Child): AsyncGenerator<Buffer> {
  if (kind === 'record') yield text
  else yield* keysIn({ path, base: text, bounds })
}

/** The first children of a folder whose rank is behind `from`; `more` when others follow. */
async function nextChildren(
  { path, base, bounds }: Place,
  from: Buffer | undefined,
): Promise<{ readonly children: readonly Child[]; readonly more: boolean }> {
  const folder = await ifThere(opendir(path, { bufferSize: 256 }))
  if (folder === undefined) return { children: [], more: false }
  let children: Child[] = []
  let more = false
  for await (const item of folder) {
    if (!item.isFile() && !item.isDirectory()) continue
    const entry = parseName(item.name, item.isDirectory())
    if (entry === undefined) continue
    const child = toChild(entry, { path: join(path, item.name), base })
    if ((from !== undefined && Buffer.compare(child.rank, from) <= 0) || !isWanted(child, bounds)) continue
    children.push(child)
    if (children.length < 2 * window) continue
    children = firstOf(children)
    more = true
  }
  if (children.length > window) {
    children = firstOf(children)
    more = true
  } else if (!more) {
    children.sort(byRank)
  }
  // Those that mingle must not be parted.
  if (more && children.at(-1)!.kind === 'rest') children.pop()
  return { children, more }
}

function firstOf(children: Child[]): Child[] {
  return children.sort(byRank).slice(0, window)
}

function byRank(a: Child, b: Child): number {
  return Buffer.compare(a.rank, b.rank)
}

function toChild({ kind, name }: KeyEntry, { path, base }: { readonly path: string; readonly base: Buffer }): Child {
  const slash = Buffer.from('/')
  const text = Buffer.concat(kind === 'folder' ? [base, name, slash] : [base, name])
  const rank = kind === 'record' ? name : Buffer.concat([name, kind === 'folder' ? slash : Buffer.alloc(1)])
  return { kind, name, path, text, rank }
}

function isWanted({ kind, text }: Child, { prefix, after }: Place['bounds']): boolean {
  if (kind === 'record') return startsWith(text, prefix) && Buffer.compare(text, after) > 0
  if (!startsWith(text, prefix) && !startsWith(prefix, text)) return false
  return Buffer.compare(text, after) > 0 || startsWith(after, text)
}

function startsWith(text: Buffer, prefix: Buffer): boolean {
  return text.length >= prefix.length && text.subarray(0, prefix.length).equals(prefix)
}

async function* merged(left: AsyncGenerator<Buffer>, right: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  let [a, b] = [await left.next(), await right.next()]
  while (a.done !== true || b.done !== true) {
    if (b.done === true || (a.done !== true && Buffer.compare(a.value, b.value) < 0)) {
      yield a.value as Buffer
      a = await left.next()
    } else {
      yield b.value
      b = await right.next()
    }
  }
}
