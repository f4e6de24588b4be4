import { hash } from 'node:crypto'

/** Longer keys are hashed: what Redis keeps per key would outgrow the entries. */
const mostKeyLength = 200
const hashMark = '#'
const escapeMark = '%u'

/**
 * The names of what is kept in Redis, under one namespace:
 *
 * - `plimsoll:e:{key}` an entry, and `plimsoll:l:{key}` its lease. What is in braces alone decides the slot of a cluster, so both
 *   are on one server, and one script may look at both.
 * - `plimsoll:v:tag` a version, wherever its slot is.
 * - `plimsoll:removed` the channel that tells of keys removed by hand.
 */
export class KeyNames {
  /** What every key of a version begins with. */
  readonly versionPrefix: string
  readonly removedChannel: string
  readonly #entry: string
  readonly #lease: string

  constructor(namespace: string) {
    this.versionPrefix = `${namespace}:v:`
    this.removedChannel = `${namespace}:removed`
    this.#entry = `${namespace}:e:{`
    this.#lease = `${namespace}:l:{`
  }

  entry(key: string): string {
    return `${this.#entry}${braced(key)}}`
  }

  lease(key: string): string {
    return `${this.#lease}${braced(key)}}`
  }

  version(tag: string): string {
    // UTF-8 has no bytes for a lone surrogate: two tags would become one.
    return tag.isWellFormed() && !tag.startsWith(escapeMark)
      ? this.versionPrefix + tag
      : `${this.versionPrefix}${escapeMark}${Buffer.from(tag, 'utf16le').toString('base64url')}`
  }

  /** The tag of a version's key. */
  tagOf(versionKey: Buffer): string {
    const name = versionKey.toString('utf8').slice(this.versionPrefix.length)
    return name.startsWith(escapeMark)
      ? Buffer.from(name.slice(escapeMark.length), 'base64url').toString('utf16le')
      : name
  }
}

/** A key as it may stand between braces: the first `}` would end the part that decides the slot. */
function braced(key: string): string {
  const plain = key.length > 0 && key.length <= mostKeyLength && !/^#|[{}]/.test(key) && key.isWellFormed()
  return plain ? key : hashMark + hash('sha256', Buffer.from(key, 'utf16le'), 'base64url')
}
