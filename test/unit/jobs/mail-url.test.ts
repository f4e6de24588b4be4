import { describe, expect, test } from 'vitest'
import { parseMailUrl } from '../../../src/jobs/mail/mail-url.ts'

describe('MAIL_URL', () => {
  test('names a server, a login, and the bounds of its connections', () => {
    const url =
      'smtp://ada%40example.com:p%40ss@mail.example.com:2525?maxConnections=2&maxMessages=50&rateLimit=10&rateDelta=5s'
    expect(parseMailUrl(url)).toMatchObject({
      host: 'mail.example.com',
      port: 2525,
      secure: false,
      auth: { user: 'ada@example.com', pass: 'p@ss' },
      maxConnections: 2,
      maxMessages: 50,
      rateLimit: 10,
      rateDelta: 5000,
    })
    expect(parseMailUrl('smtps://[::1]?tls.rejectUnauthorized=false&name=here&socketTimeout=500')).toMatchObject({
      host: '::1',
      port: 465,
      secure: true,
      auth: undefined,
      tls: { rejectUnauthorized: false },
      name: 'here',
      socketTimeout: 500,
    })
  })

  test.each([
    ['smtp://ada:secret@mail.example.com', true],
    ['smtp://ada:secret@127.evil.example.com', true],
    ['smtp://mail.example.com', false],
    ['smtp://ada:secret@127.0.0.1', false],
    ['smtp://ada:secret@mail.example.com?requireTLS=false', false],
    ['smtp://ada:secret@mail.example.com?ignoreTLS=true', false],
    ['smtp://mail.example.com?requireTLS=true', true],
  ])('sends a password over TLS only: %s', (url, requireTLS) => {
    expect(parseMailUrl(url).requireTLS).toBe(requireTLS)
  })

  test.each([
    ['mail.example.com', 'give smtp://'],
    ['http://mail.example.com', 'give smtp://'],
    ['smtp://', 'give smtp://'],
    ['smtp://ada:secret@h?rate=1', "'rate' is unknown; there are 'name', "],
    ['smtp://h?rateLimit=0', 'rateLimit is a whole number from 1'],
    ['smtp://h?requireTLS=yes', 'requireTLS is true or false'],
    ['smtp://h?rateDelta=soon', 'rateDelta is '],
    ['smtp://ada:secret%zz@h', 'as %25'],
  ])('is refused when it is wrong, without its password: %s', (url, message) => {
    expect(() => parseMailUrl(url)).toThrow(message)
    expect(() => parseMailUrl(url)).not.toThrow('secret')
  })
})
