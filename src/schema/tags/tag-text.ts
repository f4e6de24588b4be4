import { createHash } from 'node:crypto'
import type { Column, Model } from '../model.ts'

/*
 * The spelling of tags. Every part is escaped, so that no two things share a tag and a tag fits where a CDN wants it, in a
 * header: ASCII, without blanks and commas.
 *
 *   posts                  the table; `app.posts` when the schema names its own
 *   posts*                 rows of it that nobody knows
 *   posts:42               the row with this primary key; `post_tags:3:7` when that has two columns
 *   posts.author_id=7      the rows with this value
 */

/** Longer values are hashed: tags are sent with every read that is cached. In bytes. */
const longestValue = 64

/** NULL, as the one character that no text of PostgreSQL can hold. */
const nullText = '%00'

/** The tag that every write of the table bumps. */
export function tableTag({ schema, name }: Model): string {
  return schema === undefined ? escapePart(name) : `${escapePart(schema)}.${escapePart(name)}`
}

/** The tag that writes of unknown rows bump, from a table's own. */
export function anyRowTag(table: string): string {
  return `${table}*`
}

/** What the tags of one column begin with: `posts.author_id=`. */
export function columnPrefix(table: string, { name }: Column): string {
  return `${table}.${escapePart(name)}=`
}

/** The tag of a row, by the texts of its primary key. */
export function keyTag(table: string, texts: readonly (string | null)[]): string {
  return `${table}:${texts.map(valuePart).join(':')}`
}

/** The part of a tag that stands for a value. */
export function valuePart(text: string | null): string {
  if (text === null) return nullText
  if (text.length <= longestValue && plain.test(text)) return text
  // A hash is marked by a character that is escaped everywhere else. Two values of one hash would only be invalidated together.
  return Buffer.byteLength(text) <= longestValue
    ? escapePart(text)
    : `~${createHash('sha256').update(text).digest('base64url').slice(0, 22)}`
}

const plain = /^[\w-]*$/

function escapePart(text: string): string {
  if (plain.test(text)) return text
  let escaped = ''
  for (const byte of Buffer.from(text)) {
    const character = String.fromCharCode(byte)
    escaped += plain.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return escaped
}
