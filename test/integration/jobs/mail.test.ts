import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { z } from 'zod'
import { createApp, type App, type AppOptions } from '../../../src/app/index.ts'
import type { JobHandle } from '../../../src/jobs/index.ts'
import { defineMail, html } from '../../../src/jobs/index.ts'
import { relations } from '../../faults/service.ts'
import { freePort } from '../../servers/free-port.ts'
import { startSmtp, type Smtp } from '../../servers/smtp.ts'

type TestApp = App<typeof relations>
type Options = Pick<AppOptions<typeof relations>, 'jobs' | 'mail'>

const retry = { first: 50, most: 200 }
const sender = 'Waterline <hello@example.com>'

function makeWelcome(name = 'mail.welcome') {
  return defineMail(name, {
    input: z.object({ email: z.string(), name: z.string(), link: z.string() }),
    to: ({ email, name: who }) => ({ name: who, address: email }),
    subject: ({ name: who }) => `Welcome, ${who}`,
    text: ({ link }) => `Begin at ${link}`,
    html: ({ name: who, link }) => html`<p>Dear ${who}, <a href="${link}">begin here</a>.</p>`,
    headers: { 'List-Unsubscribe': '<https://example.com/unsubscribe>' },
    retry,
  })
}

const welcome = makeWelcome()
let smtp: Smtp
let app: TestApp

async function open(options: Options): Promise<TestApp> {
  return createApp({ relations, databaseUrl: 'pglite:memory', secret: 'a secret of the tests', work: true, ...options })
}

async function openForTest(options: Options): Promise<TestApp> {
  const opened = await open(options)
  onTestFinished(() => opened.close())
  return opened
}

beforeAll(async () => {
  smtp = await startSmtp()
  app = await open({ jobs: [welcome], mail: { url: `smtp://127.0.0.1:${smtp.port}`, from: sender, retry } })
})
afterAll(async () => {
  await app.close()
  await smtp.stop()
})

let count = 0
/** An address that no other test uses; its name says what the server does with it. */
const addressOf = (name: string): string => `${name}@host${count++}.example.com`

const receivedBy = (address: string) => smtp.received.filter(({ recipients }) => recipients.includes(address))

const stateOf = async (handle: JobHandle): Promise<string> => (await handle.status())!.state

describe('a mail', () => {
  test('is made of its templates, with what others have written escaped', async () => {
    const email = addressOf('ada')
    const handle = await welcome.enqueue({ email, name: 'Ada <b>"Å"</b>', link: 'https://example.com/?a=1&b="' })
    const receipt = await handle.result()
    const messageId = `<${handle.id}@example.com>`
    expect(receipt).toEqual({ messageId, accepted: [email], refused: [], response: expect.stringContaining('queued') })
    const [mail, ...more] = receivedBy(email)
    expect(more).toEqual([])
    expect(mail!.from).toBe('hello@example.com')
    expect(mail!.header('From')).toBe(sender)
    expect(mail!.header('Message-ID')).toBe(messageId)
    expect(mail!.header('List-Unsubscribe')).toBe('<https://example.com/unsubscribe>')
    expect(mail!.text).toContain('Begin at https://example.com/?a=1&b="')
    expect(mail!.text).toContain('Dear Ada &lt;b&gt;&quot;=C3=85&quot;&lt;/b&gt;')
    expect(mail!.text).toContain('<a href="https://example.com/?a=1&amp;b=&quot;">')
  })

  test('is sent by app.mail.send, to everybody at once, and those in bcc are not named', async () => {
    const [to, cc, bcc] = [addressOf('to'), addressOf('cc'), addressOf('bcc')]
    const attachments = [{ filename: 'notes.txt', content: 'bm90ZXMh', encoding: 'base64' as const }]
    const handle = await app.mail.send({ to, cc: [cc], bcc, subject: 'All', text: 'Hello', attachments })
    expect((await handle.result()).accepted).toEqual([to, cc, bcc])
    const [mail] = receivedBy(to)
    expect(mail!.recipients).toEqual([to, cc, bcc])
    expect(mail!.header('Cc')).toBe(cc)
    expect(mail!.text).not.toContain(bcc)
    expect(mail!.text).toContain('filename=notes.txt')
    expect(mail!.text).toContain('bm90ZXMh')
  })

  test('of a transaction is sent if and only if that commits', async () => {
    const [rolledBack, committed] = [addressOf('rolled-back'), addressOf('committed')]
    const send = (to: string) => app.mail.send({ to, subject: 'Order', text: 'Thanks' })
    await expect(
      app.db.transaction(async () => {
        await send(rolledBack)
        throw new Error('no order after all')
      }),
    ).rejects.toThrow('no order')
    const handle = await app.db.transaction(() => send(committed))
    await handle.result()
    expect(receivedBy(committed)).toHaveLength(1)
    expect(receivedBy(rolledBack)).toEqual([])
  })

  test.each([
    ['no address', { to: 'nobody' }, 'to: is no address: "nobody"'],
    ['a list in one text', { to: 'a@example.com, b@example.com' }, 'to: is no address'],
    ['a line break in an address', { to: 'a@example.com\r\nBcc: b@example.com' }, 'to: is no address'],
    [
      'a line break in a name',
      { to: { name: 'A\nBcc: b@example.com', address: 'a@example.com' } },
      'control character',
    ],
    ['a line break in the subject', { subject: 'Hi\r\nBcc: b@example.com' }, 'subject: has a line break'],
    [
      'a line break in a header',
      { headers: { 'X-Kind': 'a\r\nBcc: b@example.com' } },
      'headers.X-Kind: has a line break',
    ],
    ['a header of its own', { headers: { Bcc: 'b@example.com' } }, 'headers.Bcc: is made of the other members'],
    ['a file of the server', { attachments: [{ filename: 'a', path: '/etc/passwd' }] }, 'attachments.0.content'],
    ['nobody', { to: [] }, 'to: is empty'],
    ['nothing', { text: undefined }, 'text: is missing'],
  ])('is refused where it is enqueued: %s', async (_what, part, message) => {
    const before = await app.jobs.counts()
    const mail = { to: 'a@example.com', subject: 'Hi', text: 'Hello', ...part } as Parameters<
      TestApp['mail']['send']
    >[0]
    const sent = app.mail.send(mail)
    await expect(sent).rejects.toMatchObject({ code: 'PLIMSOLL_JOB_INPUT_INVALID' })
    await expect(sent).rejects.toThrow(message)
    expect(await app.jobs.counts()).toEqual(before)
  })

  test('that a template makes wrong is refused there too', async () => {
    const enqueued = welcome.enqueue({ email: 'a@example.com', name: 'Ada\r\nBcc: b@example.com', link: '' })
    await expect(enqueued).rejects.toMatchObject({ code: 'PLIMSOLL_JOB_INPUT_INVALID' })
    await expect(enqueued).rejects.toThrow('subject: has a line break')
  })
})

describe('a server that does not take a mail', () => {
  test('for good makes a dead letter of it, at once, that names the recipient', async () => {
    const email = addressOf('gone')
    const handle = await welcome.enqueue({ email, name: 'Ada', link: '' })
    await expect(handle.result()).rejects.toThrow(`${email}: 550 5.1.1 There is nobody of this name`)
    expect(await handle.status()).toMatchObject({ attempts: 1, error: { code: 'PLIMSOLL_MAIL_REFUSED' } })
    expect((await app.jobs.list({ names: ['mail.welcome'] })).map(({ id }) => id)).toContain(handle.id)
  })

  test('for its text makes a dead letter of it too', async () => {
    const handle = await app.mail.send({ to: addressOf('large'), subject: 'Large', text: '…' })
    await expect(handle.result()).rejects.toThrow('552 5.3.4 The message is too large')
    expect((await handle.status())!.attempts).toBe(1)
  })

  test.each(['grey', 'later', 'full'])('for the moment gets it again: %s', async (name) => {
    const email = addressOf(name)
    const handle = await welcome.enqueue({ email, name: 'Ada', link: '' })
    expect((await handle.result()).accepted).toEqual([email])
    expect((await handle.status())!.attempts).toBe(2)
    expect(receivedBy(email)).toHaveLength(1)
  })

  test('because of its rate is left alone for longer', async () => {
    const handle = await welcome.enqueue({ email: addressOf('busy'), name: 'Ada', link: '' })
    await expect.poll(() => stateOf(handle)).toBe('delayed')
    const { dueAt, startedAt, attempts } = (await handle.status())!
    expect(dueAt! - startedAt!).toBeGreaterThanOrEqual(30_000)
    expect(attempts).toBe(1)
    await handle.cancel()
  })

  test('from some gets it again for those alone', async () => {
    const [ada, grey, gone] = [addressOf('ada'), addressOf('grey'), addressOf('gone')]
    const handle = await app.mail.send({ to: [ada, grey], bcc: gone, subject: 'Some', text: 'Hello' })
    const { accepted, refused, messageId } = await handle.result()
    expect(accepted).toEqual([ada])
    expect(refused.map(({ address }) => address)).toEqual([gone, grey])
    const [ofGone, ofGrey] = refused.map(({ job }) => app.jobs.handle<typeof handle.result>(job))
    await expect(ofGone!.result()).rejects.toThrow(`${gone}: 550`)
    expect((await ofGone!.status())!.error!.message).not.toContain(grey)
    expect(await ofGrey!.result()).toMatchObject({ accepted: [grey], messageId })
    expect(receivedBy(ada)).toHaveLength(1)
    const [again, ...more] = receivedBy(grey)
    expect(more).toEqual([])
    expect(again!.recipients).toEqual([grey])
    expect(again!.header('To')).toBe(`${ada}, ${grey}`)
    expect(again!.header('Message-ID')).toBe(messageId)
  })

  test('and breaks off when it has it gets it again, recognisable by its Message-ID', async () => {
    const email = addressOf('drop')
    const handle = await welcome.enqueue({ email, name: 'Ada', link: '' })
    const { messageId } = await handle.result()
    expect((await handle.status())!.attempts).toBe(2)
    expect(receivedBy(email).map((mail) => mail.header('Message-ID'))).toEqual([messageId, messageId])
  })

  test('and does not answer is given up when the job is cancelled', async () => {
    const { waiting } = smtp
    const handle = await welcome.enqueue({ email: addressOf('slow'), name: 'Ada', link: '' })
    await expect.poll(() => smtp.waiting).toBe(waiting + 1)
    await handle.cancel()
    await expect.poll(() => stateOf(handle)).toBe('cancelled')
    const email = addressOf('after')
    await (await welcome.enqueue({ email, name: 'Ada', link: '' })).result()
    expect(receivedBy(email)).toHaveLength(1)
  })

  test('because it is away gets it when it is back', async () => {
    const port = await freePort()
    const late = makeWelcome()
    const own = await openForTest({ jobs: [late], mail: { url: `smtp://127.0.0.1:${port}`, from: sender } })
    const email = addressOf('patient')
    const handle = await late.enqueue({ email, name: 'Ada', link: '' })
    await expect.poll(async () => (await handle.status())!.attempts).toBeGreaterThan(1)
    expect((await handle.status())!.error).toMatchObject({ code: 'PLIMSOLL_MAIL_DEFERRED' })
    const back = await startSmtp(port)
    onTestFinished(() => back.stop())
    expect((await handle.result()).accepted).toEqual([email])
    expect(back.received).toHaveLength(1)
    expect(own.mail.kept).toEqual([])
  })
})

describe('the mail of an application', () => {
  test('keeps to the connections that its URL allows', async () => {
    const server = await startSmtp()
    onTestFinished(() => server.stop())
    const url = `smtp://127.0.0.1:${server.port}?maxConnections=1&maxMessages=5&rateLimit=1000`
    const own = await openForTest({ mail: { url, from: sender } })
    const handles = await Promise.all(
      Array.from({ length: 12 }, (_, i) => own.mail.send({ to: `n${i}@example.com`, subject: 'Many', text: 'Hello' })),
    )
    await Promise.all(handles.map((handle) => handle.result()))
    expect(server.received).toHaveLength(12)
    expect(server.mostConnections).toBe(1)
  })

  test('logs in over TLS; a password that is refused is tried again, but not soon', async () => {
    const server = await startSmtp(0, {
      secure: true,
      authOptional: false,
      onAuth: ({ username, password }, _session, done) =>
        username === 'ada' && password === 'p@ss' ? done(null, { user: 'ada' }) : done(new Error('Wrong password')),
    })
    onTestFinished(() => server.stop())
    const send = async (login: string) => {
      const url = `smtps://${login}@127.0.0.1:${server.port}?tls.rejectUnauthorized=false`
      const own = await openForTest({ mail: { url, from: sender } })
      return own.mail.send({ to: 'ada@example.com', subject: 'In', text: 'Hello' })
    }
    expect((await (await send('ada:p%40ss')).result()).accepted).toEqual(['ada@example.com'])
    const handle = await send('ada:wrong')
    await expect.poll(() => stateOf(handle)).toBe('delayed')
    const { dueAt, startedAt, error } = (await handle.status())!
    expect(dueAt! - startedAt!).toBeGreaterThan(200_000)
    expect(error!.message).toContain('535')
  })

  test('without a server keeps the last mails, and shows them', async () => {
    const lines: string[] = []
    const spy = vi.spyOn(console, 'log').mockImplementation((line: string) => void lines.push(line))
    onTestFinished(() => spy.mockRestore())
    const own = await openForTest({ mail: { keep: 2 } })
    for (const subject of ['One', 'Two', 'Three']) {
      await (await own.mail.send({ to: 'ada@example.com', subject, text: 'Hello' })).result()
    }
    expect(own.mail.kept.map(({ subject }) => subject)).toEqual(['Two', 'Three'])
    expect(own.mail.kept[0]).toMatchObject({ from: 'app@localhost', to: ['ada@example.com'], text: 'Hello' })
    expect(lines).toHaveLength(3)
    expect(lines[0]).toContain('not sent (MAIL_URL is not set): app@localhost → ada@example.com\n  One\n\n  Hello')
  })

  test('that has none says so', async () => {
    const own = await openForTest({})
    const sent = own.mail.send({ to: 'ada@example.com', subject: 'No', text: 'Hello' })
    await expect(sent).rejects.toThrow('sends no mail; set MAIL_URL')
  })

  test('has to know whom mails are from, before anything is opened', async () => {
    const opened = open({ jobs: [makeWelcome('mail.nobody')], mail: { url: 'smtp://127.0.0.1:1' } })
    await expect(opened).rejects.toThrow("'mail.nobody' does not say whom it is from; set MAIL_FROM")
  })
})
