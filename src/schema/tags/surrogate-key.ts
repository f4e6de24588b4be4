import { hash } from 'node:crypto'

/** Google's CDN takes keys of 120 characters, others longer ones. */
const longestKey = 100

/**
 * A tag as CDNs know it: what the headers `Surrogate-Key` and `Cache-Tag` say, and so what a purge has to say. ASCII without
 * blanks and commas; other characters are percent-encoded, and the rest of a long tag is a hash.
 *
 * @example surrogateKey('posts:42') // → 'posts:42'
 */
export function surrogateKey(tag: string): string {
  const key = plain.test(tag) ? tag : encode(tag)
  if (key.length <= longestKey) return key
  return `${key.slice(0, longestKey - 33)}~${hash('sha256', tag, 'hex').slice(0, 32)}`
}

/** The tag of the table that a tag is about: `posts` of `posts:42`, `posts*` and `posts.author_id=7`. */
export function tableOfTag(tag: string): string {
  const at = tag.search(/[:=*]/)
  if (at < 0) return tag
  return tag[at] === '=' ? tag.slice(0, Math.max(0, tag.lastIndexOf('.', at))) || tag : tag.slice(0, at)
}

/** `%` is one of them, since the spelling of tags has it: two tags that come to one key would only be purged together. */
const plain = /^[\w.:=*~%+/@-]+$/

function encode(tag: string): string {
  let encoded = ''
  for (const byte of Buffer.from(tag)) {
    const character = String.fromCharCode(byte)
    encoded +=
      plain.test(character) && character !== '%' ? character : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return encoded
}
