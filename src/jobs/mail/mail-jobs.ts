import { PlimsollError } from '../../core/errors.ts'
import { isJob, type JobDefinition } from '../define-job.ts'
import type { Job, JobContext } from '../types.ts'
import type { PlainMail } from './check-mail.ts'
import type { MailReceipt } from './types.ts'

/** Sends a mail, for the job that the context is of. */
export type SendMail = (mail: PlainMail, context: JobContext) => Promise<MailReceipt>

/** The jobs that send mails, and whether they say whom from. */
const mails = new WeakMap<Job, { readonly from: boolean }>()

/** The handler of a mail that belongs to no application. @throws PLIMSOLL_JOB_UNBOUND */
export function mailHandler(_mail: unknown, { name }: JobContext): never {
  throw new PlimsollError(
    'PLIMSOLL_JOB_UNBOUND',
    `The job '${name}' sends a mail, and has no server to send it to; list it in createApp({ jobs: [ … ] }).`,
    { details: { name } },
  )
}

/** Marks a job as one that sends a mail. */
export function markMail<J extends Job>(job: J, known: { readonly from: boolean }): J {
  mails.set(job, known)
  return job
}

/** The job, with its mails sent by `send` if it is one that sends mails. @throws PLIMSOLL_OPTION_INVALID when nobody says whom from */
export function bindMail(job: Job, parts: { readonly send: SendMail; readonly from: boolean }): Job {
  const known = mails.get(job)
  if (known === undefined || !isJob(job)) return job
  if (!known.from && !parts.from) {
    throw new PlimsollError(
      'PLIMSOLL_OPTION_INVALID',
      `The mail '${job.name}' does not say whom it is from; set MAIL_FROM, createApp({ mail: { from } }), or its own from.`,
      { details: { option: 'mail.from' } },
    )
  }
  const bound: JobDefinition = { ...job, handler: (mail, context) => parts.send(mail as PlainMail, context) }
  return Object.freeze(bound)
}
