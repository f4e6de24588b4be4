import type { TagHeader } from '../../cdn/contract.ts'
import { listNames, PlimsollError, showValue } from '../../core/errors.ts'
import { surrogateKey, tableOfTag } from '../../schema/index.ts'

/**
 * nginx takes 4 KB for all headers together and its own notes, the URL among them, unless it is told otherwise, and answers 502 beyond.
 * In bytes, of both headers.
 */
const longestHeaders = 1024

const spaced: TagHeader = { name: 'surrogate-key', separator: ' ', mostBytes: longestHeaders }
const listed: TagHeader = { name: 'cache-tag', separator: ',', mostBytes: longestHeaders }
const modes: Readonly<Record<SurrogateMode, readonly TagHeader[]>> = {
  'surrogate-key': [spaced],
  'cache-tag': [listed],
  both: [spaced, listed].map((header) => ({ ...header, mostBytes: longestHeaders / 2 })),
}

type SurrogateMode = 'surrogate-key' | 'cache-tag' | 'both'

/** Which headers name the tags of an answer for a CDN: one of their names, both, or the header of a CDN's own (`cdn.features.tagHeader`). */
export type SurrogateKeys = SurrogateMode | TagHeader

/** Checks the option `surrogateKeys`. @throws PLIMSOLL_OPTION_INVALID */
export function checkSurrogateKeys(value: SurrogateKeys | false): void {
  if (value === false || (typeof value === 'string' ? Object.hasOwn(modes, value) : isTagHeader(value))) return
  throw new PlimsollError(
    'PLIMSOLL_OPTION_INVALID',
    `surrogateKeys is ${showValue(value)}; it can be ${listNames(Object.keys(modes))}, the tagHeader of a CDN, or false.`,
    { details: { option: 'surrogateKeys' } },
  )
}

function isTagHeader(value: unknown): value is TagHeader {
  return typeof value === 'object' && value !== null && /^[\w-]+$/.test(String((value as { name?: unknown }).name))
}

/**
 * The headers that name tags, by name. Tags that would not fit are named by their tables, which every write of one names too;
 * undefined when not even those fit, so that no purge would find the answer.
 */
export function surrogateHeaders(
  tags: readonly string[],
  keys: SurrogateKeys,
): Readonly<Record<string, string>> | undefined {
  const headers: Record<string, string> = {}
  for (const header of typeof keys === 'string' ? modes[keys] : [keys]) {
    const text = fitting(tags, header) ?? fitting(tags.map(tableOfTag), header)
    if (text === undefined) return undefined
    headers[header.name] = text
  }
  return headers
}

function fitting(
  tags: readonly string[],
  { separator, mostBytes, mostTags = Infinity, spell = surrogateKey }: TagHeader,
): string | undefined {
  const keys = new Set(tags.map(spell))
  const text = [...keys].join(separator)
  return keys.size <= mostTags && text.length <= mostBytes ? text : undefined
}
