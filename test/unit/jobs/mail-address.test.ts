import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseAddress } from '../../../src/jobs/mail/address.ts'
import { checkMail } from '../../../src/jobs/mail/check-mail.ts'

describe('an address', () => {
  test.each([
    ['ada@example.com', { name: '', address: 'ada@example.com' }],
    [' ada@localhost ', { name: '', address: 'ada@localhost' }],
    ['Ada Lovelace <ada+mail@example.co.uk>', { name: 'Ada Lovelace', address: 'ada+mail@example.co.uk' }],
    [String.raw`"Lovelace, \"Ada\"" <ada@example.com>`, { name: 'Lovelace, "Ada"', address: 'ada@example.com' }],
    ['Åsa <åsa@exämple.se>', { name: 'Åsa', address: 'åsa@exämple.se' }],
    ['<ada@example.com>', { name: '', address: 'ada@example.com' }],
    [
      { name: 'Lovelace, Ada', address: 'ada@example.com' },
      { name: 'Lovelace, Ada', address: 'ada@example.com' },
    ],
  ])('is read: %j', (given, parsed) => {
    expect(parseAddress(given)).toEqual(parsed)
  })

  test.each([
    '',
    'ada',
    '@example.com',
    'ada@',
    'a b@example.com',
    'ada@exa mple.com',
    'ada@-example.com',
    'ada@example..com',
    '.ada@example.com',
    'a..b@example.com',
    'a@b@example.com',
    'ada@[127.0.0.1]',
    `${'a'.repeat(65)}@example.com`,
    'a@example.com, b@example.com',
    'a@example.com; b@example.com',
    'Lovelace, Ada <ada@example.com>',
    'Team: ada@example.com;',
    'Ada <ada@example.com> <b@example.com>',
    'ada@example.com\nbcc: b@example.com',
    'Ada\r\n <ada@example.com>',
    { name: 'Ada\nBcc: b@example.com', address: 'ada@example.com' },
    { address: 'ada@example.com', group: 'x' },
    { name: 1, address: 'ada@example.com' },
    ['ada@example.com'],
    null,
    7,
  ])('is refused: %j', (given) => {
    expect(parseAddress(given)).toEqual(expect.any(String))
  })
})

describe('a mail', () => {
  test('that is taken has no line break in what becomes its head', () => {
    const part = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('a\r\nBcc: b@example.com', 'a\nb', 'a', '\u2028'),
    )
    const given = fc.record({
      to: fc.oneof(part, fc.record({ name: part, address: fc.constant('ada@example.com') })),
      subject: part,
      headers: fc.dictionary(fc.oneof(part, fc.constant('X-Kind')), part),
      attachments: fc.array(fc.record({ filename: part, content: part, cid: part, contentType: part })),
      text: part,
    })
    fc.assert(
      fc.property(given, (mail) => {
        const result = checkMail(mail)
        if (result.issues !== undefined) return
        const { to, subject, headers, attachments } = result.value
        const head = [
          ...to.flatMap(({ name, address }) => [name, address]),
          subject,
          ...Object.entries(headers).flat(),
          ...attachments.flatMap(({ filename, cid, contentType }) => [filename, cid!, contentType!]),
        ]
        expect(head.filter((text) => /[\r\n\u2028\u2029\0]/.test(text))).toEqual([])
      }),
    )
  })

  test('has known parts, and no more recipients than a server takes', () => {
    const mail = { to: 'ada@example.com', subject: 'Hi', text: 'Hello' }
    expect(checkMail(mail).issues).toBeUndefined()
    expect(checkMail({ ...mail, sendAt: 1 }).issues).toEqual([{ path: ['sendAt'], message: 'is no part of a mail' }])
    const many = Array.from({ length: 101 }, (_, i) => `n${i}@example.com`)
    expect(checkMail({ ...mail, bcc: many }).issues![0]!.message).toContain('more than 100 recipients')
    expect(checkMail('a mail').issues).toHaveLength(1)
    expect(checkMail({ ...mail, rest: { messageId: 'a\nb', recipients: ['nobody'] } }).issues).toHaveLength(3)
  })
})
