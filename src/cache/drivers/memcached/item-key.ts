import { createHash } from 'node:crypto'

/** What an item is: an entry, a lease, the version of a tag. */
export type ItemKind = 'e' | 'l' | 'v'

/** The key of an item as it goes over the wire. */
export interface ItemKey {
  /** Printable, without a space, at most 250 bytes. */
  readonly text: string
  /** `' b'` when the text is the base64 of the key's bytes, else ''. */
  readonly flag: '' | ' b'
}

// The server's limit; for `b` it is the encoded text that counts.
const mostBytes = 250

/**
 * Makes the function that names items. Names of different keys differ, whatever is in them: printable ones go as they are,
 * others as base64 of their UTF-8, and those that are too long, or that UTF-8 would not tell apart, by their SHA-256, under
 * a kind of their own.
 */
export function createItemKeys(namespace: string): (kind: ItemKind, name: string) => ItemKey {
  const prefix = toPrefix(namespace)
  return (kind, name) => {
    if (prefix.length + 2 + name.length <= mostBytes) {
      const text = `${prefix}${kind}:${name}`
      if (/^[!-~]*$/.test(name)) return { text, flag: '' }
      // A lone half of a surrogate pair has no UTF-8: all of them would become the same replacement character.
      if (name.isWellFormed()) {
        const encoded = Buffer.from(text).toString('base64')
        if (encoded.length <= mostBytes) return { text: encoded, flag: ' b' }
      }
    }
    const hash = createHash('sha256').update(Buffer.from(name, 'utf16le')).digest('base64url')
    return { text: `${prefix}${kind.toUpperCase()}:${hash}`, flag: '' }
  }
}

/** What every key of a namespace begins with: printable, and no other namespace's keys begin with it. */
export function toPrefix(namespace: string): string {
  return `${encodeURIComponent(namespace)}:`
}
