import { describe, expect, test } from 'vitest'
import { redactUrl } from '../../../src/core/redact.ts'

describe('a redacted URL', () => {
  test.each([
    ['postgres://u:hunter2@h:1/d', 'postgres://u:***@h:1/d'],
    ['postgres://u:hunter2/with#odd?signs@h/d', 'postgres://u:***@h/d'],
    ['postgres://u:hunter2@and@more@h/d', 'postgres://u:***@h/d'],
    ['postgres://u@h/d?password=hunter2&sslmode=require', 'postgres://u@h/d?password=***&sslmode=require'],
    ['redis://:hunter2@h', 'redis://:***@h'],
    ['postgres://h/d', 'postgres://h/d'],
    ['pglite:.plimsoll/db', 'pglite:.plimsoll/db'],
  ])('of %s hides the password only', (url, shown) => {
    expect(redactUrl(url)).toBe(shown)
  })
})
