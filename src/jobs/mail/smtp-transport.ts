import type * as nodemailer from 'nodemailer'
import type { SMTPPoolOptions, SMTPPoolSentMessageInfo, SendMailOptions, Transporter } from 'nodemailer'
import { importPeer } from '../../core/peer.ts'
import type { PlainMail } from './check-mail.ts'
import type { Delivered, Delivery, MailTransport, RefusedRecipient } from './mail-transport.ts'
import type { SmtpOptions } from './mail-url.ts'

/** What nodemailer says of a recipient that was refused. */
interface RecipientError {
  readonly recipient?: string
  readonly responseCode?: number
  readonly response?: string
}

/**
 * Sends mails to a server, on a few connections that are kept.
 *
 * @throws PLIMSOLL_PEER_MISSING
 */
export async function smtpTransport({ tls, ...options }: SmtpOptions): Promise<MailTransport> {
  const { createTransport } = await importPeer<typeof nodemailer>('nodemailer', 'MAIL_URL')
  const poolOptions: SMTPPoolOptions = {
    ...options,
    tls: { ...tls },
    pool: true,
    // What is sent again is sent by the job, which counts.
    maxRequeues: 0,
    disableFileAccess: true,
    disableUrlAccess: true,
  }
  const pool: Transporter<SMTPPoolSentMessageInfo, SMTPPoolOptions> = createTransport({ ...poolOptions, pool: true })
  return {
    name: `${options.host}:${options.port}`,
    close: () => pool.close(),
    async deliver(delivery) {
      try {
        const { accepted, rejectedErrors, response } = await pool.sendMail(toSendMailOptions(delivery))
        return { accepted, refused: refusedOf(rejectedErrors), response }
      } catch (error) {
        return nobody(error)
      }
    },
  }
}

/** Of an error that says that all recipients were refused, their refusals. */
function nobody(error: unknown): Delivered {
  const { rejectedErrors, response = '' } = error as { rejectedErrors?: RecipientError[]; response?: string }
  const refused = refusedOf(rejectedErrors)
  if (refused.length === 0) throw error
  return { accepted: [], refused, response }
}

function refusedOf(errors: readonly RecipientError[] | undefined): RefusedRecipient[] {
  return (errors ?? []).flatMap(({ recipient, responseCode, response = '' }) =>
    // A connection that breaks refuses nobody.
    recipient === undefined || responseCode === undefined ? [] : [{ address: recipient, code: responseCode, response }],
  )
}

function toSendMailOptions({ mail, from, messageId, recipients, signal }: Delivery): SendMailOptions {
  const { to, cc, replyTo, subject, text, html, headers, attachments } = mail as Mutable<PlainMail>
  return {
    from: mail.from!,
    to: [...to],
    cc: [...cc],
    replyTo: [...replyTo],
    subject,
    text,
    html,
    headers,
    attachments: attachments.map(({ filename, content, encoding, contentType, cid }) => ({
      filename,
      content,
      encoding: encoding === 'base64' ? 'base64' : undefined,
      contentType,
      cid,
    })),
    messageId,
    envelope: { from, to: [...recipients] },
    signal,
  }
}

type Mutable<T> = { -readonly [Member in keyof T]: T[Member] }
