import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createItemKeys } from '../../../src/cache/drivers/memcached/item-key.ts'
import { remainingMs, toItemTtl, ttlFlags } from '../../../src/cache/drivers/memcached/item-ttl.ts'
import {
  chunkCount,
  chunkOf,
  createSplitHead,
  encodeSplitHead,
  joinChunks,
  mostItemBytes,
  readSplitHead,
} from '../../../src/cache/drivers/memcached/split-value.ts'

const names = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc.string({ unit: 'grapheme-ascii', minLength: 180, maxLength: 260 }),
  fc.constantFrom('', ' ', 'a b', 'a\r\nflush_all\r\n', '\0', 'ä', '😀', '\ud800', '\ud801', 'x\udfff', '\ufffd'),
)
const kinds = fc.constantFrom('e' as const, 'l' as const, 'v' as const)

/** The bytes that the server compares. */
const bytesOf = ({ text, flag }: { text: string; flag: string }): string =>
  flag === '' ? text : Buffer.from(text, 'base64').toString('latin1')

describe('keys on the wire', () => {
  test('are printable, without a space, and within the limit', () => {
    const toKey = createItemKeys('äpp:prod')
    fc.assert(
      fc.property(kinds, names, (kind, name) => {
        const { text } = toKey(kind, name)
        expect(text).toMatch(/^[!-~]+$/)
        expect(text.length).toBeLessThanOrEqual(250)
      }),
    )
  })

  test('differ wherever namespace, kind or name differ', () => {
    const namespaces = fc.constantFrom('a', 'a:e', 'a%3A', 'A', '')
    const any = fc.tuple(namespaces, kinds, names)
    fc.assert(
      fc.property(any, any, (one, other) => {
        const [a, b] = [one, other].map(([namespace, kind, name]) => bytesOf(createItemKeys(namespace)(kind, name)))
        expect(a === b).toBe(JSON.stringify(one) === JSON.stringify(other))
      }),
      { numRuns: 2000 },
    )
  })

  test('of names that go by their hash cannot be chosen as a name', () => {
    const toKey = createItemKeys('a')
    const hashed = toKey('e', 'x'.repeat(500)).text
    expect(bytesOf(toKey('e', hashed.slice('a:E:'.length)))).not.toBe(hashed)
  })

  test('of names that UTF-8 cannot tell apart differ', () => {
    const toKey = createItemKeys('a')
    expect(new Set(['\ud800', '\ud801', '\ufffd'].map((name) => bytesOf(toKey('e', name)))).size).toBe(3)
  })
})

describe('the TTL of an item', () => {
  test('is never shorter than asked for, and at most two seconds longer', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 29 * 86_400_000 }), (ms) => {
        // It can end a second early, as the server's clock ticks.
        expect(toItemTtl(ms) * 1000 - 1000).toBeGreaterThanOrEqual(ms)
        expect(toItemTtl(ms) * 1000 - 2000).toBeLessThan(ms)
      }),
    )
  })

  test('is bounded where Memcached would take it for a date', () => {
    for (const ms of [31 * 86_400_000, Number.MAX_SAFE_INTEGER, Number.POSITIVE_INFINITY]) {
      expect(ttlFlags(ms)).toBe(` T${30 * 86_400} F0`)
    }
    expect(ttlFlags(-5)).toBe(' T1 F1005')
  })

  test('tells what is left without what was added', () => {
    const reply = (flags: string) => ({ code: 'VA' as const, flags, value: Buffer.alloc(0) })
    expect(remainingMs(reply('t3 f1500'))).toBe(1500)
    expect(remainingMs(reply('t1 f1500'))).toBe(0)
    expect(remainingMs(reply('t-1 f0'))).toBeUndefined()
    expect(remainingMs(reply(''))).toBeUndefined()
  })
})

describe('a split value', () => {
  const value = Buffer.alloc(mostItemBytes * 2 + 7, 'abcdefgh')
  const head = createSplitHead(value.length)
  const chunks = Array.from({ length: chunkCount(head) }, (_, index) => chunkOf(value, index))

  test('is put together from its chunks, by what its head says', () => {
    expect(chunks).toHaveLength(3)
    expect(readSplitHead(encodeSplitHead(head, value))).toEqual(head)
    expect(joinChunks(head, chunks)!.equals(value)).toBe(true)
  })

  test('is not there when a chunk is missing or has another size', () => {
    expect(joinChunks(head, chunks.with(1, undefined as never))).toBeUndefined()
    expect(joinChunks(head, chunks.with(2, Buffer.alloc(6)))).toBeUndefined()
  })

  test('has chunks of its own for every write', () => {
    expect(createSplitHead(5).name).not.toBe(createSplitHead(5).name)
  })

  test('has a head that no entry looks like', () => {
    const bytes = encodeSplitHead(head, value)
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme-ascii', minLength: 32, maxLength: 32 }), (stamp) => {
        expect(readSplitHead(Buffer.from(stamp.padEnd(bytes.length, '\0')))).toBeUndefined()
      }),
    )
    const huge = Buffer.from(bytes)
    huge.writeUInt32LE(0xffffffff, 18)
    expect(readSplitHead(huge)).toBeUndefined()
  })
})
