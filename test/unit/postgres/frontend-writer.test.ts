import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { WireValue } from '../../../src/core/wire.ts'
import { FrontendWriter } from '../../../src/postgres/wire/frontend-writer.ts'

/** Reads what a frontend sent, by the message formats of the protocol. */
function read(bytes: Buffer): { type: string; body: Buffer }[] {
  const messages: { type: string; body: Buffer }[] = []
  for (let at = 0; at < bytes.length;) {
    const length = bytes.readInt32BE(at + 1)
    messages.push({ type: String.fromCharCode(bytes[at]!), body: bytes.subarray(at + 5, at + 1 + length) })
    at += 1 + length
  }
  return messages
}

/** The parameters of a Bind: null, or the format and the bytes of each. */
function parametersOf(body: Buffer): (null | { format: number; bytes: Buffer })[] {
  let at = body.indexOf(0, body.indexOf(0) + 1) + 1
  const formats: number[] = []
  const count = body.readInt16BE(at)
  at += 2
  for (let i = 0; i < count; i++, at += 2) formats.push(body.readInt16BE(at))
  const values: (null | { format: number; bytes: Buffer })[] = []
  const parameters = body.readUInt16BE(at)
  at += 2
  for (let i = 0; i < parameters; i++) {
    const length = body.readInt32BE(at)
    at += 4
    values.push(length < 0 ? null : { format: formats[i] ?? 0, bytes: body.subarray(at, at + length) })
    at += Math.max(length, 0)
  }
  expect(body.subarray(at)).toEqual(Buffer.from([0, 0]))
  return values
}

const text = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ minLength: 4000, maxLength: 5000, unit: 'grapheme' }))
const value = fc.oneof(
  text,
  fc.double(),
  fc.bigInt({ min: -(10n ** 300n), max: 10n ** 300n }),
  fc.boolean(),
  fc.constant(null),
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
)

const asText = (sent: WireValue): string => (typeof sent === 'boolean' ? (sent ? 't' : 'f') : String(sent))

describe('a writer of frontend messages', () => {
  test('binds every value as PostgreSQL reads it, and rewinds without a trace', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ values: fc.array(value, { maxLength: 8 }), undo: fc.boolean() })),
        (statements) => {
          const writer = new FrontendWriter()
          for (const { values, undo } of statements) {
            const mark = writer.mark()
            writer.bindExecuteSync('n', values)
            if (undo) writer.rewind(mark)
          }
          const kept = statements.filter(({ undo }) => !undo)
          const messages = read(Buffer.from(writer.take()))
          expect(messages.map(({ type }) => type).join('')).toBe('BES'.repeat(kept.length))
          kept.forEach(({ values }, n) => {
            const parameters = parametersOf(messages[n * 3]!.body)
            values.forEach((sent, i) => {
              if (sent === null) expect(parameters[i]).toBeNull()
              else if (Buffer.isBuffer(sent)) expect(parameters[i]).toEqual({ format: 1, bytes: sent })
              else expect(parameters[i]?.bytes.toString()).toBe(Buffer.from(asText(sent)).toString())
            })
          })
        },
      ),
      { numRuns: 200 },
    )
  })

  test('a Sync alone is one message without a body', () => {
    const writer = new FrontendWriter()
    writer.sync()
    writer.query('select 1')
    const [sync, query] = read(writer.take())
    expect(sync).toEqual({ type: 'S', body: Buffer.alloc(0) })
    expect(query?.type).toBe('Q')
  })

  test('what was taken is never written to again, and a huge statement leaves no huge block', () => {
    const writer = new FrontendWriter()
    writer.query('select 1')
    const first = writer.take()
    const copy = Buffer.from(first)
    writer.bindExecuteSync('', ['x'.repeat(3_000_000)])
    const huge = writer.take()
    expect(huge.length).toBeGreaterThan(3_000_000)
    for (let i = 0; i < 10_000; i++) writer.query('select 2')
    expect(first).toEqual(copy)
    expect(writer.take().buffer.byteLength).toBeLessThan(1024 * 1024)
  })

  test('refuses what the protocol cannot carry', () => {
    const writer = new FrontendWriter()
    expect(() => writer.query('select 1 \0 drop')).toThrow(/NUL/)
    expect(() => writer.parse('n', 'a\0b')).toThrow(/NUL/)
    expect(() =>
      writer.bindExecuteSync(
        'n',
        Array.from({ length: 65_536 }, () => 1),
      ),
    ).toThrow(/65536 parameters/)
    expect(() => writer.bindExecuteSync('n', [{} as never])).toThrow(/A parameter is 'object'/)
  })
})
