import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Crc32c } from '../../../src/files/crc32c.ts'

const of = (...pieces: readonly Uint8Array[]): string =>
  pieces.reduce<Crc32c>((sum, piece) => sum.update(piece), new Crc32c()).digest('hex')

/** By the definition: bit by bit. */
function bitwise(bytes: Uint8Array): string {
  let sum = 0xffffffff
  for (const byte of bytes) {
    sum ^= byte
    for (let bit = 0; bit < 8; bit++) sum = (sum & 1) === 1 ? (sum >>> 1) ^ 0x82f63b78 : sum >>> 1
  }
  return (~sum >>> 0).toString(16).padStart(8, '0')
}

const readCommand = '01c000000000000000000000000000001400000000000400000000140000001828000000000000000200000000000000'

describe('the CRC-32C', () => {
  // RFC 3720, appendix B.4, whose bytes are the other way round; the first two are those of the catalogue of CRCs and of no bytes.
  test.each([
    ['123456789', Buffer.from('123456789'), 'e3069283'],
    ['nothing', Buffer.alloc(0), '00000000'],
    ['32 zeros', Buffer.alloc(32), '8a9136aa'],
    ['32 times all ones', Buffer.alloc(32, 0xff), '62a8ab43'],
    ['0 to 31', Buffer.from(Array.from({ length: 32 }, (_, n) => n)), '46dd794e'],
    ['31 to 0', Buffer.from(Array.from({ length: 32 }, (_, n) => 31 - n)), '113fdb5c'],
    ['a read command of iSCSI', Buffer.from(readCommand, 'hex'), 'd9963a56'],
  ])('of %s is as published', (_, bytes, crc32c) => {
    expect(of(bytes)).toBe(crc32c)
  })

  test('of bytes in pieces, wherever these lie in memory, is that of their bits', () => {
    const piece = fc.tuple(fc.uint8Array({ maxLength: 100 }), fc.nat(7))
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        const placed = pieces.map(([bytes, before]) => {
          const memory = new Uint8Array(before + bytes.length + 1).fill(0xa5)
          memory.set(bytes, before)
          return memory.subarray(before, before + bytes.length)
        })
        expect(of(...placed)).toBe(bitwise(Buffer.concat(placed)))
      }),
      { numRuns: 1000 },
    )
  })
})
