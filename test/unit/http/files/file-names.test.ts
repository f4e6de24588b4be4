import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { contentDisposition } from '../../../../src/http/files/content-disposition.ts'
import { safeFileName } from '../../../../src/http/files/file-name.ts'
import { zipNames } from '../../../../src/http/files/zip-names.ts'

/** Anything that somebody may call a file: lone surrogates, controls, paths, marks of direction. */
const anyName = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({
    unit: fc.constantFrom(
      '.',
      '/',
      '\\',
      ' ',
      '"',
      '%',
      '\0',
      '\r',
      '\n',
      '\u202E',
      '\uD800',
      '\uDC00',
      'é',
      '😀',
      'a',
      'CON',
    ),
  }),
  fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 400 }).map((units) => String.fromCharCode(...units)),
)

describe('a safe name', () => {
  test.each([
    ['report.pdf', 'report.pdf'],
    ['../../etc/passwd', 'passwd'],
    ['C:\\Users\\ada\\photo.jpg', 'photo.jpg'],
    ['..', 'download'],
    ['', 'download'],
    ['/', 'download'],
    ['a/', 'a'],
    ['.htaccess', 'htaccess'],
    ['a\r\nSet-Cookie: x=1', 'aSet-Cookie_ x=1'],
    ['photo\u202Egpj.exe', 'photogpj.exe'],
    ['\uD83Dx.png', '_x.png'],
    ['what?<now>|"this".txt', 'what__now___this_.txt'],
    ['CON', '_CON'],
    ['nul.txt', '_nul.txt'],
    ['  name .txt. . ', 'name .txt'],
    // Composed, as most systems have it.
    ['e\u0301.txt', 'é.txt'],
  ])('of %j is %j', (name, safe) => {
    expect(safeFileName(name)).toBe(safe)
  })

  test('of 300 bytes keeps its extension, and no half characters', () => {
    expect(safeFileName(`${'a'.repeat(300)}.tar`)).toBe(`${'a'.repeat(196)}.tar`)
    const safe = safeFileName(`${'😀'.repeat(100)}.jpeg`)
    expect(safe).toBe(`${'😀'.repeat(48)}.jpeg`)
  })

  test('is one, whatever it is made of', () => {
    fc.assert(
      fc.property(anyName, (name) => {
        const safe = safeFileName(name)
        expect(safe).not.toBe('')
        expect(safe.isWellFormed()).toBe(true)
        expect(Buffer.byteLength(safe)).toBeLessThanOrEqual(200)
        // oxlint-disable-next-line no-control-regex -- they are what is looked for
        expect(safe).not.toMatch(/[\u0000-\u001F\u007F-\u009F/\\<>:"|?*\u202A-\u202E]/)
        expect(safe).not.toMatch(/^[.\s]|[.\s]$/)
        expect(safeFileName(safe)).toBe(safe)
      }),
      { numRuns: 500 },
    )
  })
})

/** Reads a header as RFC 6266 has it: the name in `filename*` if there is one, else in `filename`. */
function readName(header: string): string {
  const match = /^(?:inline|attachment); filename="([^"\\]*)"(?:; filename\*=UTF-8''([\w!#$&+.^`|~%-]+))?$/.exec(header)
  expect(match, header).not.toBeNull()
  const [, plain, extended] = match!
  return extended === undefined ? plain! : decodeURIComponent(extended)
}

describe('Content-Disposition', () => {
  test.each([
    ['attachment', 'a b.pdf', 'attachment; filename="a b.pdf"'],
    ['inline', 'naïve.pdf', 'inline; filename="na_ve.pdf"; filename*=UTF-8\'\'na%C3%AFve.pdf'],
    // Some browsers decode what looks encoded.
    ['attachment', '100%41.txt', 'attachment; filename="100_41.txt"; filename*=UTF-8\'\'100%2541.txt'],
    ['attachment', "it's (1).txt", 'attachment; filename="it\'s (1).txt"'],
    ['attachment', '€ (1).txt', 'attachment; filename="_ (1).txt"; filename*=UTF-8\'\'%E2%82%AC%20%281%29.txt'],
  ] as const)('%s of %j', (kind, name, header) => {
    expect(contentDisposition(kind, name)).toBe(header)
  })

  test('is a header of ASCII that spells the safe name, whatever that is made of', () => {
    fc.assert(
      fc.property(anyName, (name) => {
        const header = contentDisposition('attachment', name)
        expect(header).toMatch(/^[\x20-\x7E]+$/)
        expect(readName(header)).toBe(safeFileName(name))
      }),
      { numRuns: 500 },
    )
  })
})

describe('the names of an archive', () => {
  test.each([
    [
      ['a.txt', 'a.txt', 'A.TXT'],
      ['a.txt', 'a (2).txt', 'A (3).TXT'],
    ],
    [
      ['../../etc/passwd', '/etc/passwd'],
      ['etc/passwd', 'etc/passwd (2)'],
    ],
    [
      ['..', ''],
      ['file', 'file (2)'],
    ],
    [
      ['photos/1.jpg', 'photos\\1.jpg'],
      ['photos/1.jpg', 'photos/1 (2).jpg'],
    ],
    [
      ['a (2).txt', 'a.txt', 'a.txt'],
      ['a (2).txt', 'a.txt', 'a (3).txt'],
    ],
  ])('%j are %j', (names, unique) => {
    expect(zipNames(names)).toEqual(unique)
  })

  test('are relative paths, and none is there twice', () => {
    fc.assert(
      fc.property(fc.array(anyName, { maxLength: 30 }), (names) => {
        const unique = zipNames(names)
        expect(new Set(unique.map((name) => name.toLowerCase())).size).toBe(names.length)
        for (const name of unique) expect(name.split('/')).not.toContain('..')
        for (const name of unique) expect(name).not.toMatch(/^\/|\\|^[a-z]:/i)
      }),
    )
  })
})
