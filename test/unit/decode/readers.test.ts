import fc from 'fast-check'
import { expect, test } from 'vitest'
import { JsonWriter } from '../../../src/db/decode/json-writer.ts'
import { compileKeyReader } from '../../../src/db/decode/key-reader.ts'
import { compileTextReader } from '../../../src/db/decode/text-reader.ts'
import { dataRow } from './data-row.ts'

const read = <T>(reader: (chunk: Buffer, start: number, end: number) => T, texts: readonly (string | null)[]): T => {
  const { chunk, start, end } = dataRow(texts)
  return reader(chunk, start, end)
}

test('a key is the text of its column, whatever looks like a number', () => {
  const key = fc.oneof(
    fc.constantFrom(
      '',
      '0',
      '-1',
      '01',
      '1e3',
      '999999999',
      '1234567890',
      '9223372036854775807',
      'é',
      '5 ',
      '1a',
      'a1',
    ),
    fc.integer().map(String),
    fc.uuid(),
    fc.string({ unit: 'binary' }).filter((text) => text.isWellFormed()),
  )
  fc.assert(
    fc.property(key, key, (first, second) => {
      expect(read(compileKeyReader([1]), [null, first])).toBe(first)
      expect(read(compileKeyReader([2, 0]), [first, null, second])).toBe(`${second}\u0000${first}`)
    }),
  )
})

test('a key with a NULL in it is none', () => {
  expect(read(compileKeyReader([0]), [null])).toBeUndefined()
  expect(read(compileKeyReader([0, 1]), ['1', null])).toBeUndefined()
})

test('texts come in the order of the slots, null for NULL', () => {
  expect(read(compileTextReader([2, 0, 1, 2]), ['a', null, 'é', 'unread'])).toEqual(['é', 'a', null, 'é'])
  expect(read(compileTextReader([]), ['a'])).toEqual([])
})

test('a writer grows, and gives a copy that later writers leave alone', () => {
  const writer = new JsonWriter()
  writer.writeByte(0x5b)
  writer.writeAscii('a'.repeat(50_000))
  writer.writeUtf8('é😀'.repeat(20_000))
  writer.copy(Buffer.from('xyz'), 1, 2)
  const bytes = writer.toBuffer()
  const expected = `[${'a'.repeat(50_000)}${'é😀'.repeat(20_000)}y`
  expect(bytes.toString()).toBe(expected)

  expect(writer.length).toBe(0)
  writer.writeAscii('again')
  const other = new JsonWriter()
  other.writeAscii('z'.repeat(200_000))
  expect(writer.toBuffer().toString()).toBe('again')
  expect(other.toBuffer().toString()).toBe('z'.repeat(200_000))
  expect(bytes.toString()).toBe(expected)
})

test('a writer that is reset keeps its memory and forgets its text', () => {
  const writer = new JsonWriter()
  writer.writeAscii('gone')
  const { bytes } = writer
  writer.reset()
  writer.writeAscii('kept')
  expect(writer.bytes).toBe(bytes)
  expect(writer.toBuffer().toString()).toBe('kept')
})
