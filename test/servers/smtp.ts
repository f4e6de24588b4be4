import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { SMTPServer, type SMTPServerAddress, type SMTPServerOptions } from 'smtp-server'

/** A mail that a server has read to its end. */
export interface ReceivedMail {
  readonly from: string
  readonly recipients: readonly string[]
  /** As it came over the wire, with soft line breaks undone. */
  readonly text: string
  header(name: string): string | undefined
}

/** A mail server on a loopback port, which treats recipients as their names say. */
export interface Smtp {
  readonly port: number
  readonly received: readonly ReceivedMail[]
  /** The most connections that were open at a time. */
  readonly mostConnections: number
  /** Of those who are `slow`, who waits for an answer now. */
  readonly waiting: number
  stop(): Promise<void>
}

/** What happens to a mail for `NAME@…`, once per address; others are taken. */
const refusals: Readonly<Record<string, { readonly code: number; readonly text: string; readonly always: boolean }>> = {
  gone: { code: 550, text: '5.1.1 There is nobody of this name', always: true },
  grey: { code: 451, text: '4.7.1 Greylisted, please try again in 1 seconds', always: false },
  later: { code: 450, text: '4.2.0 Not now', always: false },
  busy: { code: 450, text: '4.2.1 The user receives mail at too high a rate', always: true },
}

/** Refusals after the text of a mail. */
const refusalsOfText: typeof refusals = {
  large: { code: 552, text: '5.3.4 The message is too large', always: true },
  full: { code: 452, text: '4.3.1 No room at the moment', always: false },
}

/** Starts a mail server; 0 takes any free port. */
export async function startSmtp(port = 0, options: SMTPServerOptions = {}): Promise<Smtp> {
  const received: ReceivedMail[] = []
  const seen = new Set<string>()
  let mostConnections = 0
  let waiting = 0
  const refusalOf = (table: typeof refusals, { address }: SMTPServerAddress): Error | undefined => {
    const refusal = table[address.split('@')[0]!]
    if (refusal === undefined || (seen.has(address) && !refusal.always)) return undefined
    seen.add(address)
    return Object.assign(new Error(refusal.text), { responseCode: refusal.code })
  }
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    logger: false,
    onConnect: (_session, done) => {
      mostConnections = Math.max(mostConnections, server.connections.size)
      done()
    },
    onRcptTo: (address, _session, done) => done(refusalOf(refusals, address)),
    onData: (stream, session, done) => {
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('end', () => {
        const { rcptTo, mailFrom } = session.envelope
        const first = rcptTo[0]!
        const refused = refusalOf(refusalsOfText, first)
        if (refused !== undefined) {
          done(refused)
          return
        }
        if (first.address.startsWith('slow@')) {
          waiting++
          return
        }
        const from = mailFrom === false ? '' : mailFrom.address
        received.push(
          readMail(Buffer.concat(chunks).toString(), { from, recipients: rcptTo.map((one) => one.address) }),
        )
        if (!first.address.startsWith('drop@') || seen.has(first.address)) {
          done(null, 'queued')
          return
        }
        // It has the mail, and the other side does not hear of it.
        seen.add(first.address)
        for (const connection of server.connections) if (connection.session === session) connection._socket.destroy()
      })
    },
    ...options,
  })
  // A connection that breaks off is what some tests are about.
  server.on('error', () => {})
  const listener = server.listen(port, '127.0.0.1')
  await once(listener, 'listening')
  return {
    port: (listener.address() as AddressInfo).port,
    received,
    get mostConnections() {
      return mostConnections
    },
    get waiting() {
      return waiting
    },
    stop: () =>
      new Promise((resolve) => {
        for (const connection of server.connections) connection._socket.destroy()
        server.close(() => resolve())
      }),
  }
}

function readMail(raw: string, { from, recipients }: Pick<ReceivedMail, 'from' | 'recipients'>): ReceivedMail {
  const text = raw.replaceAll('=\r\n', '').replaceAll('=3D', '=')
  const head = raw.slice(0, raw.indexOf('\r\n\r\n')).replace(/\r\n[ \t]+/g, ' ')
  const headers = new Map(
    head
      .split('\r\n')
      .map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)]),
  )
  return { from, recipients, text, header: (name) => headers.get(name.toLowerCase()) }
}
