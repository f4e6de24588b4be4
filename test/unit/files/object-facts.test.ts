import { describe, expect, test } from 'vitest'
import { checkFacts } from '../../../src/files/object-facts.ts'
import { isActive, isPassive } from '../../../src/http/files/active-types.ts'

describe('the type of an object', () => {
  test.each(['text/plain', 'text/html; charset=utf-8', 'a/b;c="d, \\"e\\""', 'image/svg+xml ; a=b;c=""'])(
    'may be %s',
    (type) => {
      expect(checkFacts({ type }).type).toBe(type)
    },
  )

  // To a browser the last of several types is the type.
  test.each(['text/plain; a="b", text/html; c="d"', 'text/plain, text/html', 'text/plain; a="', 'text', 'text/plain;'])(
    'may not be %s',
    (type) => {
      expect(() => checkFacts({ type })).toThrow(expect.objectContaining({ code: 'PLIMSOLL_FILE_FACTS_INVALID' }))
    },
  )

  test('is refused at once, however often it begins to look like one', () => {
    // If a quote could stand within quotes, there would be as many ways to read it as there are subsets of its parameters.
    expect(() => checkFacts({ type: 'a/b;a="";a=""";a=""' })).toThrow(/is none/)
    expect(() => checkFacts({ type: `a/b${';a=""'.repeat(200)}!` })).toThrow(/is none/)
  })
})

test('a type that a browser may read as another one can act, and is not shown', () => {
  for (const type of ['image/png;a=b,text/html', 'text/plain, text/html', 'x/y,text/html'])
    expect([type, isPassive(type), isActive(type)]).toEqual([type, false, true])
  for (const type of ['image/png', 'text/plain; charset=utf-8'])
    expect([type, isPassive(type), isActive(type)]).toEqual([type, true, false])
})
