import { hash } from 'node:crypto'
import { listNames, PlimsollError, showValue } from '../../core/errors.ts'

const modes = ['surrogate-key', 'cache-tag', 'both'] as const

/** Which headers name the tags of an answer for a CDN. */
export type SurrogateKeys = (typeof modes)[number]

/** Google's CDN takes keys of 120 characters, others longer ones. */
const longestKey = 100
/**
 * nginx takes 4 KB for all headers together and its own notes, the URL among them, unless it is told otherwise, and answers 502 beyond.
 * In bytes, of both headers.
 */
const longestHeaders = 1024

/** Checks the option `surrogateKeys`. @throws PLIMSOLL_OPTION_INVALID */
export function checkSurrogateKeys(value: SurrogateKeys | false): void {
  if (value === false || modes.includes(value)) return
  throw new PlimsollError(
    'PLIMSOLL_OPTION_INVALID',
    `surrogateKeys is ${showValue(value)}; it can be ${listNames(modes)}, or false.`,
    { details: { option: 'surrogateKeys' } },
  )
}

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

/**
 * The headers that name tags, by name. Tags that would not fit are named by their tables, which every write of one names too;
 * undefined when not even those fit, so that no purge would find the answer.
 */
export function surrogateHeaders(
  tags: readonly string[],
  mode: SurrogateKeys,
): Readonly<Record<string, string>> | undefined {
  const most = mode === 'both' ? longestHeaders / 2 : longestHeaders
  for (const names of [tags, tags.map(tableOf)]) {
    const keys = [...new Set(names.map(surrogateKey))]
    const spaced = keys.join(' ')
    if (spaced.length > most) continue
    return {
      ...(mode === 'cache-tag' ? {} : { 'surrogate-key': spaced }),
      ...(mode === 'surrogate-key' ? {} : { 'cache-tag': keys.join(',') }),
    }
  }
  return undefined
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

/** The tag of the table that a tag is about: `posts` of `posts:42`, `posts*` and `posts.author_id=7`. */
function tableOf(tag: string): string {
  const at = tag.search(/[:=*]/)
  if (at < 0) return tag
  return tag[at] === '=' ? tag.slice(0, Math.max(0, tag.lastIndexOf('.', at))) || tag : tag.slice(0, at)
}
