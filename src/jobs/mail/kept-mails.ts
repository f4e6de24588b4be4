import type { MailTransport } from './mail-transport.ts'
import type { KeptMail } from './types.ts'

/** Keeps the last mails instead of sending them. `show` gets each as text. */
export function keptMails({ most, show }: { readonly most: number; readonly show: (text: string) => void }): {
  readonly transport: MailTransport
  readonly kept: readonly KeptMail[]
} {
  const kept: KeptMail[] = []
  const transport: MailTransport = {
    name: 'memory:',
    close: () => {},
    deliver({ mail, from, messageId, recipients }) {
      const { subject, text, html } = mail
      const to = mail.to.map(({ address }) => address)
      kept.push({ messageId, recipients, from, to, subject, text, html })
      if (kept.length > most) kept.shift()
      show(
        `A mail, not sent (MAIL_URL is not set): ${from} → ${recipients.join(', ')}\n  ${subject}\n\n${indent(text ?? html ?? '')}\n`,
      )
      return Promise.resolve({ accepted: recipients, refused: [], response: 'kept' })
    },
  }
  return { transport, kept }
}

function indent(text: string): string {
  return text.replace(/^/gm, '  ')
}
