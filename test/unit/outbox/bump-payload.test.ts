import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fromPayload, toPayloads } from '../../../src/outbox/bump-payload.ts'

const origin = 'abcdefghijklmnop'

describe('the payloads of bumps', () => {
  test('say what was bumped, whatever the texts, in fewer bytes than NOTIFY takes', () => {
    const names = fc.array(fc.string({ unit: 'binary', maxLength: 300 }), { maxLength: 40 })
    const kinds = fc.constantFrom('tags' as const, 'keys' as const, 'call' as const)
    fc.assert(
      fc.property(names, kinds, (list, kind) => {
        const payloads = toPayloads({ origin, kind, names: list })
        for (const payload of payloads) expect(Buffer.byteLength(payload)).toBeLessThan(8000)
        const messages = payloads.map(fromPayload)
        if (messages[0]?.kind === 'everything') return expect(messages).toHaveLength(1)
        expect(messages.every((message) => message.origin === origin && message.kind === kind)).toBe(true)
        expect(messages.flatMap((message) => message.names)).toEqual(list)
      }),
      { numRuns: 40 },
    )
  })

  test('are filled to the last byte, and no further', () => {
    const longest = 7999 - origin.length - '["'.length - '"]'.length
    const payloadsOf = (...names: string[]): string[] => toPayloads({ origin, kind: 'tags', names })
    expect(payloadsOf('x'.repeat(longest)).map((payload) => payload.length)).toEqual([7999])
    expect(fromPayload(payloadsOf('x'.repeat(longest + 1))[0]!)).toEqual({ origin, kind: 'everything', names: [] })
    expect(payloadsOf('x'.repeat(longest - 4), 'y')).toHaveLength(1)
    expect(payloadsOf('x'.repeat(longest - 3), 'y')).toHaveLength(2)
  })

  test('are everything when they would be too many', () => {
    const names = (count: number): string[] => Array.from({ length: count }, (_, n) => `${n}${'x'.repeat(3800)}`)
    expect(toPayloads({ origin, kind: 'tags', names: names(32) })).toHaveLength(16)
    const [only, ...more] = toPayloads({ origin, kind: 'tags', names: names(33) })
    expect(fromPayload(only!).kind).toBe('everything')
    expect(more).toEqual([])
  })

  test.each(['', 'x', origin, `${origin}[`, `${origin}[1]`, `${origin}{}`, `${origin}!["later"]`])(
    'that no process of this version sends mean everything: %s',
    (payload) => expect(fromPayload(payload).kind).toBe('everything'),
  )
})
