import { PlimsollError } from '../core/errors.ts'
import { openMail, type OpenMail } from '../jobs/mail/open-mail.ts'
import type { Job, Mail, MailOptions } from '../jobs/index.ts'
import { optionOrEnvironment } from './environment.ts'

/**
 * Opens the mail of an application: of one that has jobs, or says something of mail.
 *
 * @throws PLIMSOLL_OPTION_INVALID, PLIMSOLL_PEER_MISSING
 */
export async function openAppMail({
  mail,
  jobs,
}: {
  readonly mail?: MailOptions | undefined
  readonly jobs?: readonly Job[] | undefined
}): Promise<OpenMail | undefined> {
  const url = optionOrEnvironment(mail?.url, 'MAIL_URL')
  if (url === undefined && mail === undefined && jobs === undefined) return undefined
  return openMail({ ...mail, url, from: mail?.from ?? optionOrEnvironment(undefined, 'MAIL_FROM') })
}

/** The mail of an application that has none. */
export function noMail(): Mail {
  return {
    kept: [],
    send: () =>
      Promise.reject(
        new PlimsollError(
          'PLIMSOLL_JOB_UNBOUND',
          'The application sends no mail; set MAIL_URL, or give createApp({ mail: {} }) for mails that are kept and shown.',
        ),
      ),
  }
}
