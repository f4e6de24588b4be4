import { describe, expect, test } from 'vitest'
import { parsePostgresOptions } from '../../../src/postgres/options.ts'

describe('the options of the door', () => {
  test('have defaults', () => {
    expect(parsePostgresOptions({ url: 'postgres://h/d' })).toMatchObject({
      sharedConnections: 3,
      maxSharedConnections: 9,
      maxTransactions: 10,
      maxPipelineDepth: 32,
      statementTimeoutMs: 30_000,
      connectTimeoutMs: 10_000,
      prepare: 'auto',
      pgbouncer: false,
    })
  })

  test('ride in the query of the URL, where they win, and are not passed on to the server', () => {
    const url = 'postgres://u:p@h:1/d?sslmode=require&sharedConnections=5&statementTimeout=2m&pgbouncer=true'
    expect(parsePostgresOptions({ url, sharedConnections: 2 })).toMatchObject({
      url: 'postgres://u:p@h:1/d?sslmode=require',
      sharedConnections: 5,
      maxSharedConnections: 15,
      statementTimeoutMs: 120_000,
      pgbouncer: true,
    })
  })

  test.each([
    ['sharedConnections', 0],
    ['maxTransactions', 1.5],
    ['maxPipelineDepth', 'many'],
    ['statementTimeout', 'soon'],
    ['connectTimeout', -1],
    ['prepare', 'never'],
  ])('%s of %o is refused by name', (option, value) => {
    expect(() => parsePostgresOptions({ url: 'postgres://h/d', [option]: value })).toThrow(option)
    expect(() => parsePostgresOptions({ url: `postgres://h/d?${option}=${value}` })).toThrow(option)
  })
})
