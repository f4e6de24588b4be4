import type { PlainMail } from './check-mail.ts'

/** A mail on its way. */
export interface Delivery {
  readonly mail: PlainMail
  readonly from: string
  readonly messageId: string
  /** Who is to get it now; not more than the mail says. */
  readonly recipients: readonly string[]
  readonly signal: AbortSignal
}

/** What a server has said to a mail. */
export interface Delivered {
  readonly accepted: readonly string[]
  /** Those that it has not taken, each with a code of three digits: from 500 on for good. */
  readonly refused: readonly RefusedRecipient[]
  readonly response: string
}

export interface RefusedRecipient {
  readonly address: string
  readonly code: number
  readonly response: string
}

/** What takes mails. */
export interface MailTransport {
  /** Where they go, for messages. */
  readonly name: string
  /** Resolves when every recipient was taken or refused; rejects with what `toMailError` reads. */
  deliver(delivery: Delivery): Promise<Delivered>
  close(): void
}
