import { describe, expect, test } from 'vitest'
import { etagOf, matchesEtag } from '../../../src/http/etag.ts'

describe('an entity tag', () => {
  const tag = etagOf(Buffer.from('one'))

  test('is strong, quoted, and the same for the same bytes only', () => {
    expect(tag).toMatch(/^"[\w-]+"$/)
    expect(etagOf(Buffer.from('one'))).toBe(tag)
    expect(etagOf(Buffer.from('two'))).not.toBe(tag)
  })

  test.each([
    ['alone', tag, true],
    ['weakened on the way', `W/${tag}`, true],
    ['in a list', `"other", W/"more",${tag}`, true],
    ['after a tag that holds a comma', `"a,b" , ${tag}`, true],
    ['as any', ' * ', true],
    ['inside another', `"x${tag.slice(1)}`, false],
    ['without quotes', tag.slice(1, -1), false],
    ['not at all', '"other"', false],
    ['in an empty header', '', false],
  ])('is matched %s', (_, header, matched) => {
    expect(matchesEtag(header, tag)).toBe(matched)
  })
})
