import { describe, expect, test } from 'vitest'
import { checkPreconditions, parseHttpDate, rangeHolds } from '../../../../src/http/files/preconditions.ts'

const etag = '"abc"'
const modifiedAt = Date.UTC(2026, 4, 5, 6, 7, 8)
const at = 'Tue, 05 May 2026 06:07:08 GMT'
const before = 'Tue, 05 May 2026 06:07:07 GMT'
const after = 'Tue, 05 May 2026 06:07:09 GMT'

describe('the conditions of a request', () => {
  test.each([
    [{}, undefined],
    [{ 'if-match': '"abc"' }, undefined],
    [{ 'if-match': '"x", "abc"' }, undefined],
    [{ 'if-match': '*' }, undefined],
    [{ 'if-match': '"x"' }, 412],
    // Weak tags name nothing here.
    [{ 'if-match': 'W/"abc"' }, 412],
    [{ 'if-unmodified-since': at }, undefined],
    [{ 'if-unmodified-since': before }, 412],
    // If-Match goes before, and the date is not looked at.
    [{ 'if-match': '"abc"', 'if-unmodified-since': before }, undefined],
    [{ 'if-none-match': '"abc"' }, 304],
    [{ 'if-none-match': 'W/"abc"' }, 304],
    [{ 'if-none-match': '*' }, 304],
    [{ 'if-none-match': '"x"' }, undefined],
    [{ 'if-modified-since': at }, 304],
    [{ 'if-modified-since': after }, 304],
    [{ 'if-modified-since': before }, undefined],
    // If-None-Match goes before, and the date is not looked at.
    [{ 'if-none-match': '"x"', 'if-modified-since': after }, undefined],
    // What has changed is no 304.
    [{ 'if-match': '"x"', 'if-none-match': '"abc"' }, 412],
    [{ 'if-match': '"abc"', 'if-none-match': '"abc"' }, 304],
    [{ 'if-modified-since': 'tomorrow' }, undefined],
    [{ 'if-unmodified-since': '0' }, undefined],
  ])('%j come to %s', (headers, status) => {
    expect(checkPreconditions(headers, { etag, modifiedAt })).toBe(status)
  })

  test.each([
    [{}, true],
    [{ 'if-range': '"abc"' }, true],
    [{ 'if-range': '"x"' }, false],
    [{ 'if-range': 'W/"abc"' }, false],
    // A file may change twice within a second.
    [{ 'if-range': at }, false],
  ])('a Range with %j holds: %s', (headers, holds) => {
    expect(rangeHolds(headers, etag)).toBe(holds)
  })

  test.each([at, 'Tuesday, 05-May-26 06:07:08 GMT', 'Tue May  5 06:07:08 2026'])('%s is a date', (text) => {
    expect(parseHttpDate(text)).toBe(modifiedAt)
  })

  test.each(['2026-05-05', '5', 'Tue, 05 May 2026 06:07:08', '', undefined])('%s is no date', (text) => {
    expect(parseHttpDate(text)).toBeUndefined()
  })
})
