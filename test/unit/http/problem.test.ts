import { describe, expect, test } from 'vitest'
import { errorCodes, type ErrorCode } from '../../../src/core/error-codes.ts'
import { PlimsollError } from '../../../src/core/errors.ts'
import { toProblem } from '../../../src/http/index.ts'

describe('the problem of an error that is the service’s own', () => {
  const own = Object.entries(errorCodes).filter(([, { status }]) => status >= 500)

  test.each(own)('%s says nothing of how the service is made', (code, { status }) => {
    const problem = toProblem(
      new PlimsollError(code as ErrorCode, 'select secret from cellar', { details: { field: 'x' } }),
    )
    expect(problem).toMatchObject({ code, status, detail: expect.any(String) })
    expect(JSON.stringify(problem)).not.toMatch(/cellar|"field"/)
  })

  test('blames the database for what the database is to blame for, and for nothing else', () => {
    const blaming = own.filter(([code]) => /database/.test(toProblem(new PlimsollError(code as ErrorCode, '')).detail!))
    expect(blaming.map(([code]) => code)).toEqual(['PLIMSOLL_DATABASE_UNREACHABLE'])
    expect(toProblem({ statusCode: 503 }).detail).not.toContain('database')
  })
})
