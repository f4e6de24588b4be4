import { createHash } from 'node:crypto'
import type { Checksums } from './contract.ts'
import { Crc32c } from './crc32c.ts'

interface Sum {
  update(bytes: Uint8Array): unknown
  digest(encoding: 'hex'): string
}

/** By their names in {@link Checksums}. */
const kinds: readonly {
  readonly name: keyof Checksums
  readonly title: string
  readonly form: RegExp
  readonly digits: number
  readonly begin: () => Sum
}[] = [
  { name: 'sha256', title: 'SHA-256', form: /^[\da-f]{64}$/i, digits: 64, begin: () => createHash('sha256') },
  { name: 'crc32c', title: 'CRC-32C', form: /^[\da-f]{8}$/i, digits: 8, begin: () => new Crc32c() },
]

/**
 * The checksums among what is given, in small letters.
 *
 * @throws what `refuse` makes of one that is none, and of what it should be
 */
export function readChecksums(
  given: { readonly [Name in keyof Checksums]?: unknown },
  refuse: (name: keyof Checksums, wanted: string) => Error,
): Checksums {
  const read: { -readonly [Name in keyof Checksums]: string } = {}
  for (const { name, form, digits } of kinds) {
    const value = given[name]
    if (value === undefined) continue
    if (typeof value !== 'string' || !form.test(value)) throw refuse(name, `${digits} hexadecimal digits`)
    read[name] = value.toLowerCase()
  }
  return read
}

/** Whether bytes must have any checksum, for which all of them are looked at. */
export function hasChecksums(expected: Checksums): boolean {
  return kinds.some(({ name }) => expected[name] !== undefined)
}

/** The checksums of bytes as they come, beside those that they must have. */
export class ChecksumTally {
  readonly #sums: readonly { readonly title: string; readonly expected: string; readonly sum: Sum }[]

  private constructor(expected: Checksums) {
    this.#sums = kinds.flatMap(({ name, title, begin }) => {
      const wanted = expected[name]
      return wanted === undefined ? [] : [{ title, expected: wanted, sum: begin() }]
    })
  }

  /** Undefined where bytes need none: nothing is summed. */
  static of(expected: Checksums): ChecksumTally | undefined {
    return hasChecksums(expected) ? new ChecksumTally(expected) : undefined
  }

  update(bytes: Uint8Array): void {
    for (const { sum } of this.#sums) sum.update(bytes)
  }

  /** Which one the bytes have that they must not have; undefined where all are right. That was all. */
  difference(): string | undefined {
    for (const { title, expected, sum } of this.#sums) {
      const actual = sum.digest('hex')
      if (actual !== expected.toLowerCase()) return `${title} is ${actual}, not ${expected}`
    }
    return undefined
  }
}

/** A checksum as services write it. */
export function toBase64(checksum: string): string {
  return Buffer.from(checksum, 'hex').toString('base64')
}

/** The CRC-32C that a service has written; undefined where that is none of a whole object, such as one of parts. */
export function crc32cOf(base64: string | undefined): string | undefined {
  return base64 !== undefined && /^[\w+/]{6}==$/.test(base64)
    ? Buffer.from(base64, 'base64').toString('hex')
    : undefined
}
