import { describe, expect, test } from 'vitest'
import { PreparedStatements } from '../../../src/postgres/session/prepared-statements.ts'

describe('the prepared statements of a session', () => {
  test('are bounded, and the one that was used least recently makes room', () => {
    const prepared = new PreparedStatements(2)
    expect(prepared.add('a')).toBeUndefined()
    expect(prepared.add('b')).toBeUndefined()
    expect(prepared.use('a')).toBe('asked')
    prepared.confirm('a')
    expect(prepared.use('a')).toBe('confirmed')
    expect(prepared.add('c')).toBe('b')
    expect(prepared.use('b')).toBeUndefined()
    expect(prepared.size).toBe(2)
  })
})
