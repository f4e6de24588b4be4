import { PlimsollError } from '../../core/errors.ts'
import type { EnqueueOptions, Job, JobContext, JobHandle, Jobs } from '../types.ts'
import { domainOf, parseAddress, type PlainAddress } from './address.ts'
import type { PlainMail, StoredMail } from './check-mail.ts'
import { plainMailJob } from './define-mail.ts'
import { keptMails } from './kept-mails.ts'
import { isForGood, toMailError, toRecipientError, waitOf } from './mail-error.ts'
import { bindMail } from './mail-jobs.ts'
import type { MailTransport, RefusedRecipient } from './mail-transport.ts'
import { parseMailUrl } from './mail-url.ts'
import { smtpTransport } from './smtp-transport.ts'
import type { KeptMail, Mail, MailMessage, MailOptions, MailReceipt } from './types.ts'

/** Mail that was opened, for the jobs that send it. */
export interface OpenMail extends Mail {
  /** The jobs with those that send mails bound to this, and the job `mail`. */
  jobsWith(jobs: readonly Job[]): readonly Job[]
  /** Has mails enqueued there. Comes before the first one. */
  attach(jobs: Jobs): void
  /** Comes after the workers have ended. */
  close(): void
}

/** The rest of a mail is tried again after so long. */
const restMs = 30_000
/** So long a run that is repeated does not enqueue the rest of its mail once more. */
const restWindow = '7d'

/**
 * Opens the mail of an application: a server at `url`, or a place where mails are kept.
 *
 * @throws PLIMSOLL_OPTION_INVALID, PLIMSOLL_PEER_MISSING
 */
export async function openMail({ url, from, retry, keep = 100 }: MailOptions = {}): Promise<OpenMail> {
  const sender = from === undefined ? undefined : readSender(from)
  if (url !== undefined && url !== 'memory:') {
    return new Mailer(await smtpTransport(parseMailUrl(url)), { kept: [], sender, retry })
  }
  const show = url === undefined ? (text: string): void => console.log(text) : (): void => {}
  const { transport, kept } = keptMails({ most: keep, show })
  return new Mailer(transport, { kept, sender: sender ?? { name: '', address: 'app@localhost' }, retry })
}

class Mailer implements OpenMail {
  readonly kept: readonly KeptMail[]
  readonly #transport: MailTransport
  readonly #sender: PlainAddress | undefined
  readonly #plain: Job<StoredMail, MailReceipt>
  #jobs: Jobs | undefined

  constructor(
    transport: MailTransport,
    parts: Pick<Mail, 'kept'> & Pick<MailOptions, 'retry'> & { readonly sender: PlainAddress | undefined },
  ) {
    this.#plain = plainMailJob(parts)
    this.#transport = transport
    this.kept = parts.kept
    this.#sender = parts.sender
  }

  jobsWith(jobs: readonly Job[]): readonly Job[] {
    const parts = { send: this.#deliver.bind(this), from: this.#sender !== undefined }
    return [...jobs, this.#plain].map((job) => bindMail(job, parts))
  }

  attach(jobs: Jobs): void {
    this.#jobs = jobs
  }

  async send(message: MailMessage, options?: EnqueueOptions): Promise<JobHandle<MailReceipt>> {
    const from = message.from ?? this.#sender
    if (from === undefined) {
      throw new PlimsollError(
        'PLIMSOLL_OPTION_INVALID',
        `The mail '${message.subject}' does not say whom it is from; set MAIL_FROM, createApp({ mail: { from } }), or its own from.`,
        { details: { option: 'from' } },
      )
    }
    return this.#jobs!.enqueue(this.#plain, { ...message, from }, options)
  }

  close(): void {
    this.#transport.close()
  }

  async #deliver(given: PlainMail, context: JobContext): Promise<MailReceipt> {
    const { attempt, idempotencyKey, signal } = context
    const mail = { ...given, from: given.from ?? this.#sender! }
    const { address: from } = mail.from
    const messageId = mail.rest?.messageId ?? `<${idempotencyKey}@${domainOf(from)}>`
    const recipients = mail.rest?.recipients ?? recipientsOf(mail)
    const parts = { subject: mail.subject, server: this.#transport.name, attempt }
    const delivered = await this.#transport
      .deliver({ mail, from, messageId, recipients, signal })
      .catch((error: unknown) => {
        throw signal.aborted ? signal.reason : toMailError(error, parts)
      })
    const { accepted, refused, response } = delivered
    const [forGood, forNow] = [refused.filter(isForGood), refused.filter((one) => !isForGood(one))]
    // Nobody has it, and it is the same for all: this job goes on with them.
    if (accepted.length === 0 && (forGood.length === 0 || forNow.length === 0)) throw toRecipientError(refused, parts)
    const rest = await Promise.all([
      this.#goOn(mail, { messageId, refused: forGood, context, why: 'refused' }),
      this.#goOn(mail, { messageId, refused: forNow, context, why: 'deferred' }),
    ])
    return { messageId, accepted, refused: rest.flat(), response }
  }

  /** Enqueues the mail for those alone who have not got it: to be tried again, or to fail with their names. */
  async #goOn(
    mail: PlainMail & { readonly from: PlainAddress },
    parts: {
      readonly messageId: string
      readonly refused: readonly RefusedRecipient[]
      readonly context: JobContext
      readonly why: string
    },
  ): Promise<MailReceipt['refused']> {
    const { messageId, refused, context, why } = parts
    if (refused.length === 0) return []
    const waits = refused.map((one) => waitOf(one, 1) ?? restMs)
    const rest = { messageId, recipients: refused.map(({ address }) => address) }
    const { id } = await this.#jobs!.enqueue(
      this.#plain,
      { ...mail, rest },
      {
        tenant: context.tenant,
        delay: why === 'deferred' ? Math.round(Math.max(...waits)) : 0,
        unique: { key: `${context.id}:${why}`, window: restWindow },
      },
    )
    return refused.map(({ address, response }) => ({ address, response, job: id }))
  }
}

function recipientsOf({ to, cc, bcc }: PlainMail): readonly string[] {
  return [...new Set([...to, ...cc, ...bcc].map(({ address }) => address))]
}

function readSender(from: NonNullable<MailOptions['from']>): PlainAddress {
  const sender = parseAddress(from)
  if (typeof sender !== 'string') return sender
  throw new PlimsollError('PLIMSOLL_OPTION_INVALID', `MAIL_FROM ${sender}; give 'Name <name@example.com>'.`, {
    details: { option: 'mail.from' },
  })
}
