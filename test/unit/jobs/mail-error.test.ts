import { describe, expect, test } from 'vitest'
import { toMailError, toRecipientError, waitOf } from '../../../src/jobs/mail/mail-error.ts'

const minute = 60_000
const parts = { subject: 'Hi', server: 'mail.example.com:587', attempt: 1 }

function errorOf(members: Readonly<Record<string, unknown>>) {
  return toMailError(Object.assign(new Error('It failed'), members), parts) as Error & {
    readonly code: string
    readonly retryable?: boolean
    readonly retryAfter?: number
  }
}

describe('how long a server wants to be left alone', () => {
  test.each([
    ['451', '4.7.1 Greylisted, please try again in 300 seconds', 300_000],
    ['451', '4.7.1 Greylisting in action, please come back in 00:04:59', 299_000],
    ['450', '4.2.0 retry after 5 minutes', 5 * minute],
    ['450', 'Greylisted for 1 hour', 60 * minute],
    ['450', 'Come back in 900 h', 60 * minute],
  ])('is what it says: %s %s', (code, response, ms) => {
    const wait = waitOf({ code: Number(code), response }, 3)!
    expect(wait).toBeGreaterThanOrEqual(ms)
    expect(wait).toBeLessThanOrEqual(ms * 1.1)
  })

  test.each([
    [421, '4.7.0 Try again later, closing connection'],
    [454, 'Throttling failure: Maximum sending rate exceeded'],
    [450, '4.2.1 The user is receiving mail at a rate that prevents additional messages'],
    [452, '4.5.3 Too many recipients'],
  ])('grows while it minds the rate: %s %s', (code, response) => {
    for (const [attempt, ms] of [
      [1, minute],
      [3, 4 * minute],
      [20, 60 * minute],
    ] as const) {
      const wait = waitOf({ code, response }, attempt)!
      expect(wait).toBeGreaterThanOrEqual(ms / 2)
      expect(wait).toBeLessThanOrEqual(ms)
    }
  })

  test('is for the job to choose otherwise', () => {
    expect(waitOf({ code: 450, response: '4.2.0 Mailbox is busy' }, 1)).toBeUndefined()
  })
})

describe('a delivery that has failed', () => {
  test.each([
    ['a sender who is refused', { responseCode: 550, command: 'MAIL FROM', code: 'EENVELOPE' }],
    ['a text that is refused', { responseCode: 554, command: 'DATA', code: 'EMESSAGE' }],
  ])('is not tried again: %s', (_what, members) => {
    expect(errorOf(members)).toMatchObject({ code: 'PLIMSOLL_MAIL_REFUSED', retryable: false })
  })

  test.each([
    ['a server that is away', { code: 'ESOCKET' }],
    ['a connection that breaks', { code: 'ECONNECTION', command: 'DATA' }],
    ['a mailbox that is full', { responseCode: 452, command: 'DATA' }],
    ['commands out of order', { responseCode: 503, command: 'DATA' }],
  ])('is tried again: %s', (_what, members) => {
    const error = errorOf(members)
    expect(error.code).toBe('PLIMSOLL_MAIL_DEFERRED')
    expect(error.retryable).toBeUndefined()
    expect(error.retryAfter).toBeUndefined()
    expect(error.message).toBe("The mail 'Hi' was not taken by mail.example.com:587: It failed")
  })

  test.each([
    ['a password that is refused', { code: 'EAUTH', responseCode: 535, command: 'AUTH PLAIN' }],
    ['TLS that fails', { code: 'ETLS' }],
    ['a service that is refused', { code: 'EPROTOCOL', responseCode: 554, command: 'CONN' }],
  ])('is tried again slowly: %s', (_what, members) => {
    const error = errorOf(members)
    expect(error.code).toBe('PLIMSOLL_MAIL_DEFERRED')
    expect(error.retryAfter).toBeGreaterThanOrEqual(minute)
  })

  test('names each recipient with what was said of it', () => {
    const refused = [
      { address: 'a@example.com', code: 550, response: '550 Nobody' },
      { address: 'b@example.com', code: 551, response: '551 Moved' },
    ]
    expect(toRecipientError(refused, parts).message).toBe(
      "The mail 'Hi' was refused by mail.example.com:587: a@example.com: 550 Nobody; b@example.com: 551 Moved",
    )
  })
})
