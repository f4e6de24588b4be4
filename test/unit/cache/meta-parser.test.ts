import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { flagOf, MetaParser, type MetaReply } from '../../../src/cache/drivers/memcached/meta-parser.ts'

const flags = fc.array(
  fc.tuple(fc.constantFrom('c', 't', 'f', 'W', 'k'), fc.nat(1e9)).map(([flag, token]) => `${flag}${token}`),
  { maxLength: 3 },
)
const values = fc.oneof(
  fc.uint8Array({ maxLength: 12 }),
  fc.uint8Array({ minLength: 300, maxLength: 700 }),
  // What looks like answers is a value like any other.
  fc.constantFrom('\r\n', 'EN\r\n', 'VA 3\r\nabc\r\n', 'HD c1\r\nMN').map((text) => new Uint8Array(Buffer.from(text))),
)
const answer = fc.oneof(
  fc.record({ code: fc.constant('VA' as const), flags, value: values }),
  fc.record({ code: fc.constantFrom('HD', 'NS', 'EX', 'NF'), flags, value: fc.constant(undefined) }),
  fc.record({ code: fc.constantFrom('EN', 'MN', 'ERROR'), flags: fc.constant([]), value: fc.constant(undefined) }),
  fc.record({
    code: fc.constantFrom('CLIENT_ERROR', 'SERVER_ERROR'),
    flags: fc.constantFrom(['out', 'of', 'memory'], ['bad', 'command', 'line', 'format']),
    value: fc.constant(undefined),
  }),
)

function encode({
  code,
  flags,
  value,
}: {
  code: string
  flags: readonly string[]
  value: Uint8Array | undefined
}): Buffer {
  const words = [code, ...(value === undefined ? [] : [String(value.length)]), ...flags]
  const line = Buffer.from(`${words.join(' ')}\r\n`)
  return value === undefined ? line : Buffer.concat([line, value, Buffer.from('\r\n')])
}

const shown = ({ code, flags, value }: MetaReply): unknown => [code, flags, value && [...value]]

/** A parser, and what it has found. */
function setup(): { parser: MetaParser; found: MetaReply[] } {
  const found: MetaReply[] = []
  return { parser: new MetaParser((reply) => found.push(reply)), found }
}

describe('a parser of meta answers', () => {
  test('hands on every answer whole and in order, however the bytes are cut', () => {
    fc.assert(
      fc.property(
        fc.array(answer, { maxLength: 12 }),
        fc.array(fc.integer({ min: 1, max: 400 }), { maxLength: 40 }),
        (sent, cuts) => {
          const bytes = Buffer.concat(sent.map(encode))
          const { parser, found } = setup()
          let at = 0
          for (const length of [...cuts, bytes.length]) {
            if (at < bytes.length) parser.push(Buffer.from(bytes.subarray(at, at + length)))
            at += length
          }
          expect(found.map(shown)).toEqual(
            sent.map(({ code, flags, value }) => [code, flags.join(' '), value && [...value]]),
          )
        },
      ),
      { numRuns: 500 },
    )
  })

  test('takes bytes that come one by one', () => {
    const { parser, found } = setup()
    const bytes = Buffer.from('HD c12 W\r\nVA 0\r\n\r\nVA 2 t60 f0\r\n\r\n\r\nEN\r\n')
    for (let at = 0; at < bytes.length; at++) parser.push(bytes.subarray(at, at + 1))
    expect(found.map(shown)).toEqual([
      ['HD', 'c12 W', undefined],
      ['VA', '', []],
      ['VA', 't60 f0', [13, 10]],
      ['EN', '', undefined],
    ])
  })

  test('hands on values in memory of their own', () => {
    const { parser, found } = setup()
    const bytes = Buffer.from('VA 3\r\nabc\r\n')
    parser.push(bytes)
    bytes.fill(0)
    expect(found[0]!.value!.toString()).toBe('abc')
  })

  test('throws or waits for any other bytes, and hands on nothing of them', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 60 }), (bytes) => {
        const { parser, found } = setup()
        try {
          parser.push(Buffer.concat([Buffer.from('!'), bytes, Buffer.from('\r\n')]))
        } catch (error) {
          expect(error).toBeInstanceOf(Error)
        }
        expect(found).toEqual([])
      }),
    )
  })

  test.each([
    ['STORED\r\n', 'STORED'],
    ['VA\r\n', 'VA'],
    ['VA x\r\n', 'VA x'],
    ['VA -1\r\n', 'VA -1'],
    ['VA 99999999999\r\n', 'or more'],
    ['VA 3\r\nabcd\r\n', 'does not end'],
    ['HD\n', 'HD'],
    ['\r\n', 'meta protocol'],
    ['x'.repeat(5000), 'without an end'],
  ])('refuses %j', (text, message) => {
    expect(() => setup().parser.push(Buffer.from(text))).toThrow(message)
    // The same when it arrives in two pieces.
    const { parser } = setup()
    expect(() => {
      parser.push(Buffer.from(text.slice(0, 4)))
      parser.push(Buffer.from(text.slice(4)))
    }).toThrow(message)
  })
})

test('a flag is found by its letter, wherever it stands', () => {
  const reply = (flags: string): MetaReply => ({ code: 'HD', flags, value: undefined })
  expect(flagOf(reply('c12 t60 W'), 'c')).toBe('12')
  expect(flagOf(reply('c12 t60 W'), 't')).toBe('60')
  expect(flagOf(reply('c12 t60 W'), 'W')).toBe('')
  expect(flagOf(reply('c12 t60 W'), 'f')).toBeUndefined()
  expect(flagOf(reply(''), 'c')).toBeUndefined()
})
