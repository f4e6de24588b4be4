import type { EnqueueOptions, JobHandle, RetryOptions } from '../types.ts'
import type { MailAddress } from './address.ts'
import type { Html } from './html.ts'

export type MailAddresses = MailAddress | readonly MailAddress[]

/** A mail. */
export interface MailMessage {
  /** Default: MAIL_FROM, or `mail.from` of the application. */
  readonly from?: MailAddress | undefined
  readonly to?: MailAddresses | undefined
  readonly cc?: MailAddresses | undefined
  /** Who gets it too, unseen by the others. */
  readonly bcc?: MailAddresses | undefined
  readonly replyTo?: MailAddresses | undefined
  readonly subject: string
  readonly text?: string | undefined
  /** Sent as it is: what others have written belongs into a template, which escapes it. */
  readonly html?: Html | string | undefined
  /** Headers beside those that are made of the other members, such as `List-Unsubscribe`. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly attachments?: readonly MailAttachment[] | undefined
}

export interface MailAttachment {
  readonly filename: string
  readonly content: string
  /** What `content` is. Default `'utf8'`. */
  readonly encoding?: 'utf8' | 'base64' | undefined
  /** Default: by the end of the file's name. */
  readonly contentType?: string | undefined
  /** Shown by `<img src="cid:…">` in the HTML. */
  readonly cid?: string | undefined
}

/** What came of a mail. */
export interface MailReceipt {
  readonly messageId: string
  /** Whose mail the server has taken. */
  readonly accepted: readonly string[]
  /** Whose mail it has not taken, and the job that goes on with them alone. */
  readonly refused: readonly { readonly address: string; readonly response: string; readonly job: string }[]
  /** What the server has said. */
  readonly response: string
}

/** A mail that was not sent, because there is no server to send it to. */
export interface KeptMail {
  readonly messageId: string
  readonly recipients: readonly string[]
  readonly from: string
  readonly to: readonly string[]
  readonly subject: string
  readonly text: string | undefined
  readonly html: string | undefined
}

/** The options of the mail of an application. */
export interface MailOptions {
  /** `smtp://…`, `smtps://…`, or `memory:`, which keeps mails and says nothing. Default: MAIL_URL; without it they are kept and shown. */
  readonly url?: string | undefined
  /** Whom mails are from that do not say so. Default: MAIL_FROM. */
  readonly from?: MailAddress | undefined
  /** How `send` tries again. Default: 12 attempts, the second after 10 s, then up to an hour apart, some three hours in all. */
  readonly retry?: RetryOptions | undefined
  /** How many mails are kept when there is no server. Default 100. */
  readonly keep?: number | undefined
}

/** The mail of an application. */
export interface Mail {
  /**
   * Enqueues a mail; inside `db.transaction` it is sent if and only if that commits.
   *
   * @throws PLIMSOLL_JOB_INPUT_INVALID for addresses that are none, and for line breaks in what becomes its head
   */
  send(message: MailMessage, options?: EnqueueOptions): Promise<JobHandle<MailReceipt>>
  /** The last mails that this process has not sent, because there is no server. */
  readonly kept: readonly KeptMail[]
}
