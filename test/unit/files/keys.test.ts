import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { folderPath, parseName, recordPath } from '../../../src/files/drivers/disk/key-path.ts'
import { checkKey, isKey } from '../../../src/files/object-key.ts'

/** Texts of all kinds, also such that are no keys. */
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.string({
    unit: fc.constantFrom('a', '/', '.', '..', '\\', '%', ' ', 'é', '\uD83D', '🚢', '\0', '\n'),
    maxLength: 20,
  }),
)

describe('a key', () => {
  test('is any well-formed text without empty parts, dots alone, backslashes and control characters', () => {
    fc.assert(
      fc.property(text, (key) => {
        const parts = key.split('/')
        const good =
          key.isWellFormed() &&
          Buffer.byteLength(key) <= 900 &&
          parts.every((part) => !['', '.', '..'].includes(part)) &&
          !/[\\\p{Cc}\uFFFE\uFFFF]/u.test(key)
        expect(isKey(key)).toBe(good)
      }),
      { numRuns: 2000 },
    )
  })

  test('is refused with a reason', () => {
    for (const [key, reason] of [
      ['', /at least one character/],
      ['a//b', /two in a row/],
      ['a/../b', /may be '\.\.'/],
      ['a\\b', /backslashes/],
      ['a\tb', /control characters/],
      ['\uD83D', /surrogate/],
      ['x'.repeat(901), /more than 900 bytes/],
      [7 as never, /has to be a text/],
    ] as const) {
      expect(() => checkKey(key)).toThrow(reason)
    }
  })
})

describe('the path of a key', () => {
  const key = text.filter(isKey)

  test('stays below its folder, in names that every file system takes', () => {
    fc.assert(
      fc.property(key, (one) => {
        const path = recordPath('/store', one)
        expect(path.startsWith('/store/')).toBe(true)
        for (const name of path.split('/').slice(2)) {
          expect(name).toMatch(/^[A-Za-z0-9._%-]{1,255}$/)
          expect(['.', '..']).not.toContain(name)
        }
      }),
    )
  })

  test('is another one for another key, and leads back to it', () => {
    fc.assert(
      fc.property(key, (one) => {
        const names = recordPath('/', one).split('/').slice(1)
        const bytes: Buffer[] = []
        for (const [n, name] of names.entries()) {
          const entry = parseName(name, n < names.length - 1)!
          bytes.push(entry.name)
          if (entry.kind === 'folder') bytes.push(Buffer.from('/'))
        }
        expect(Buffer.concat(bytes).toString()).toBe(one)
      }),
    )
  })

  test('lies in the folder of each of its beginnings', () => {
    fc.assert(
      fc.property(key, (one) => {
        for (let at = one.indexOf('/'); at >= 0; at = one.indexOf('/', at + 1)) {
          const folder = folderPath('/store', one.slice(0, at + 1))
          expect(recordPath('/store', one).startsWith(`${folder}/`)).toBe(true)
        }
      }),
    )
  })

  test('is no other name than the one that it writes', () => {
    for (const [name, isFolder] of [
      ['a', false],
      ['a.json', false],
      ['%.json', false],
      ['%2f%.json', false],
      ['%41%.json', false],
      ['%zz', true],
      ['a b', true],
      ['%-', true],
    ] as const) {
      expect(parseName(name, isFolder), name).toBeUndefined()
    }
  })
})
