import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatArrayText, parseArrayText, type ArrayTexts } from '../../../src/schema/codecs/array-text.ts'

test('reads what PostgreSQL writes: quotes, escapes, NULL, nesting and lower bounds', () => {
  expect(parseArrayText('{}', ',')).toEqual([])
  expect(parseArrayText('{a,NULL,"NULL","","a\\"b\\\\c","x,y{}"}', ',')).toEqual([
    'a',
    null,
    'NULL',
    '',
    'a"b\\c',
    'x,y{}',
  ])
  expect(parseArrayText('{{1,2},{3,NULL}}', ',')).toEqual([
    ['1', '2'],
    ['3', null],
  ])
  expect(parseArrayText('[0:1]={1,2}', ',')).toEqual(['1', '2'])
  expect(parseArrayText('[-1:0][2:3]={{1,2},{3,4}}', ',')).toEqual([
    ['1', '2'],
    ['3', '4'],
  ])
  expect(parseArrayText('{(2,2),(1,1);(0,0),(1,1)}', ';')).toEqual(['(2,2),(1,1)', '(0,0),(1,1)'])
})

test('reads back whatever it writes', () => {
  const items = fc.letrec<{ items: ArrayTexts; item: string | null | ArrayTexts }>((tie) => ({
    items: fc.array(tie('item'), { maxLength: 4 }),
    item: fc.oneof({ maxDepth: 3 }, fc.string({ unit: 'binary' }), fc.constant(null), tie('items')),
  })).items
  fc.assert(
    fc.property(items, fc.constantFrom(',', ';', ':'), (texts, delimiter) => {
      expect(parseArrayText(formatArrayText(texts, delimiter), delimiter)).toEqual(texts)
    }),
  )
})
