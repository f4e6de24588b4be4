import { defineJob } from '../define-job.ts'
import type { InputOf, OutputOf, Schema, SchemaResult } from '../standard-schema.ts'
import type { Job, JobOptions, RetryOptions } from '../types.ts'
import type { MailAddress } from './address.ts'
import { checkMail, mailSchema, type PlainMail, type StoredMail } from './check-mail.ts'
import type { Html } from './html.ts'
import { mailHandler, markMail } from './mail-jobs.ts'
import type { MailAddresses, MailAttachment, MailReceipt } from './types.ts'

/** A part of a mail, or the function that makes it of the input. It runs where the mail is enqueued, and again where it is sent. */
export type MailTemplate<Input, Part> = Part | ((input: Input) => Part)

/** The parts of a mail; see {@link MailMessage}. */
export interface MailTemplates<Input> {
  readonly from?: MailTemplate<Input, MailAddress> | undefined
  readonly to: MailTemplate<Input, MailAddresses>
  readonly cc?: MailTemplate<Input, MailAddresses | undefined> | undefined
  readonly bcc?: MailTemplate<Input, MailAddresses | undefined> | undefined
  readonly replyTo?: MailTemplate<Input, MailAddresses | undefined> | undefined
  readonly subject: MailTemplate<Input, string>
  readonly text?: MailTemplate<Input, string> | undefined
  readonly html?: MailTemplate<Input, Html | string> | undefined
  readonly headers?: MailTemplate<Input, Readonly<Record<string, string>>> | undefined
  readonly attachments?: MailTemplate<Input, readonly MailAttachment[]> | undefined
}

/** The options of {@link defineMail}: those of a job, and the templates. The queue is `'mail'` unless they say otherwise. */
export type DefineMailOptions<I extends Schema> = Omit<JobOptions<I>, 'output' | 'sandbox'> & MailTemplates<OutputOf<I>>

const parts = ['from', 'to', 'cc', 'bcc', 'replyTo', 'subject', 'text', 'html', 'headers', 'attachments'] as const

/** A server that is away, or does not want a mail yet, is asked for some three hours. */
const retry = { attempts: 12, first: '10s', most: '1h' } as const

/**
 * Defines a mail: a job whose input becomes a mail by templates. What they make is checked where it is enqueued.
 *
 * @throws PLIMSOLL_OPTION_INVALID
 * @example
 * export const welcome = defineMail('mail.welcome', {
 *   input: z.object({ email: z.email(), name: z.string() }),
 *   to: ({ email }) => email,
 *   subject: ({ name }) => `Welcome, ${name}`,
 *   html: ({ name }) => html`<p>Dear ${name}, it is good to have you here.</p>`,
 * })
 * await welcome.enqueue({ email: 'ada@example.com', name: 'Ada' })
 */
export function defineMail<I extends Schema>(
  name: string,
  options: DefineMailOptions<I>,
): Job<InputOf<I>, MailReceipt> {
  const { from: _from, to: _to, cc: _cc, bcc: _bcc, replyTo: _replyTo, subject: _subject, ...others } = options
  const { text: _text, html: _html, headers: _headers, attachments: _attachments, ...jobOptions } = others
  const input = renderedSchema(options.input, options)
  const given = { queue: 'mail', retry, ...jobOptions, input } as JobOptions<Schema<InputOf<I>, PlainMail>>
  return markMail(defineJob(name, given, mailHandler), { from: options.from !== undefined })
}

/** The job that `mail.send` enqueues. */
export function plainMailJob(options: { readonly retry?: RetryOptions | undefined }): Job<StoredMail, MailReceipt> {
  const policy = { ...retry, ...options.retry }
  return markMail(defineJob('mail', { queue: 'mail', retry: policy, input: mailSchema }, mailHandler), { from: true })
}

/** Checks the input, then the mail that the templates make of it; that is what comes out. */
function renderedSchema<I extends Schema>(
  input: I,
  templates: MailTemplates<OutputOf<I>>,
): Schema<InputOf<I>, PlainMail> {
  const validate = async (value: unknown): Promise<SchemaResult<PlainMail>> => {
    const result = await input['~standard'].validate(value)
    return result.issues === undefined ? checkMail(render(templates, result.value)) : result
  }
  return { '~standard': { version: 1, vendor: 'plimsoll', validate } }
}

function render<Input>(templates: MailTemplates<Input>, input: Input): StoredMail {
  const mail: Partial<Record<(typeof parts)[number], unknown>> = {}
  for (const part of parts) {
    const template: unknown = templates[part]
    const made: unknown = typeof template === 'function' ? (template as (input: Input) => unknown)(input) : template
    if (made !== undefined) mail[part] = part === 'html' ? String(made) : made
  }
  return mail as unknown as StoredMail
}
