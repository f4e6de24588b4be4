import { LRUCache } from 'lru-cache'
import type { Encoding } from './compress.ts'

/** What a client takes. */
export interface Accepted {
  /** The encoding it likes best, of those we have; undefined when it takes none of them, or likes plain bytes better. */
  readonly best: Encoding | undefined
  /** False when it refuses plain bytes. */
  readonly identity: boolean
}

/** The smallest first: they are made once and sent often. */
const preference: readonly Encoding[] = ['br', 'zstd', 'gzip']

const everything: Accepted = { best: undefined, identity: true }
// Browsers send a handful of texts; strangers may send any.
const known = new LRUCache<string, Accepted>({ max: 200 })
const longest = 300

/** Reads an Accept-Encoding header (RFC 9110, section 12.5.3). Without one a client is taken to know no encodings. */
export function readAcceptEncoding(header: string | undefined): Accepted {
  if (header === undefined) return everything
  let accepted = known.get(header)
  if (accepted === undefined) {
    accepted = parse(header)
    if (header.length <= longest) known.set(header, accepted)
  }
  return accepted
}

function parse(header: string): Accepted {
  const weights = new Map<string, number>()
  for (const item of header.split(',', 50)) {
    const match = /^\s*([^\s;]+)\s*(?:;\s*q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*)?$/i.exec(item)
    if (!match) continue
    const [, coding = '', weight = '1'] = match
    // Two names of one coding (RFC 9110, section 8.4.1.3).
    const name = coding.toLowerCase().replace(/^x-gzip$/, 'gzip')
    weights.set(name, Math.max(weights.get(name) ?? 0, Number(weight)))
  }
  const others = weights.get('*')
  let best: Encoding | undefined
  let most = 0
  for (const encoding of preference) {
    const weight = weights.get(encoding) ?? others ?? 0
    if (weight > most) [best, most] = [encoding, weight]
  }
  // Plain bytes are welcome unless they are refused, and come last unless they are named.
  const identity = weights.get('identity')
  return {
    best: identity !== undefined && identity > most ? undefined : best,
    identity: (identity ?? others ?? 1) > 0,
  }
}
