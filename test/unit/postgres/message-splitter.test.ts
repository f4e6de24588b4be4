import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MessageSplitter } from '../../../src/postgres/wire/message-splitter.ts'

interface Message {
  readonly type: number
  readonly body: Buffer
}

const messages = fc.array(
  fc.record({
    type: fc.integer({ min: 0x41, max: 0x7a }),
    body: fc.oneof(fc.uint8Array({ maxLength: 12 }), fc.uint8Array({ minLength: 300, maxLength: 700 })),
  }),
  { maxLength: 12 },
)

const encode = (type: number, body: Uint8Array): Buffer => {
  const head = Buffer.alloc(5)
  head[0] = type
  head.writeInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}

describe('a splitter of messages', () => {
  test('hands on every message whole and in order, however the bytes are cut', () => {
    fc.assert(
      fc.property(messages, fc.array(fc.integer({ min: 1, max: 400 }), { maxLength: 40 }), (sent, cuts) => {
        const bytes = Buffer.concat(sent.map(({ type, body }) => encode(type, body)))
        const got: Message[] = []
        const splitter = new MessageSplitter((type, chunk, start, end) =>
          got.push({ type, body: chunk.subarray(start, end) }),
        )
        let at = 0
        for (const length of [...cuts, bytes.length]) {
          // Copied, as a socket reuses nothing that it has handed on.
          splitter.push(Buffer.from(bytes.subarray(at, at + length)))
          at += length
        }
        expect(got.map(({ type, body }) => [type, [...body]])).toEqual(sent.map(({ type, body }) => [type, [...body]]))
      }),
      { numRuns: 300 },
    )
  })

  test('takes a large message byte by byte at a cost that grows with its size', () => {
    const body = Buffer.alloc(20_000, 7)
    const bytes = encode(0x44, body)
    let got = 0
    const splitter = new MessageSplitter((_type, _chunk, start, end) => {
      got = end - start
    })
    for (let at = 0; at < bytes.length; at++) splitter.push(bytes.subarray(at, at + 1))
    expect(got).toBe(body.length)
  })

  test('refuses a length that the protocol does not allow', () => {
    const splitter = new MessageSplitter(() => {})
    expect(() => splitter.push(Buffer.from([0x44, 0, 0, 0, 3, 0, 0]))).toThrow(/message of 3 bytes/)
    expect(() => new MessageSplitter(() => {}).push(Buffer.from([0x44, 0xff, 0xff, 0xff, 0xff, 0]))).toThrow(/-1 bytes/)
  })
})
