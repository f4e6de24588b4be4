import type { Schema, SchemaIssue, SchemaResult } from '../standard-schema.ts'
import { hasControl, parseAddress, type PlainAddress } from './address.ts'
import type { MailAttachment, MailMessage } from './types.ts'

/** A mail that was checked. */
export interface PlainMail {
  readonly from: PlainAddress | undefined
  readonly to: readonly PlainAddress[]
  readonly cc: readonly PlainAddress[]
  readonly bcc: readonly PlainAddress[]
  readonly replyTo: readonly PlainAddress[]
  readonly subject: string
  readonly text: string | undefined
  readonly html: string | undefined
  readonly headers: Readonly<Record<string, string>>
  readonly attachments: readonly MailAttachment[]
  readonly rest: RestOfMail | undefined
}

/** The part of a mail's recipients that is left, once others have got it. */
export interface RestOfMail {
  readonly messageId: string
  readonly recipients: readonly string[]
}

/** A mail as the job `mail` stores it. */
export interface StoredMail extends MailMessage {
  readonly rest?: RestOfMail | undefined
}

const members = new Set([
  'from',
  'to',
  'cc',
  'bcc',
  'replyTo',
  'subject',
  'text',
  'html',
  'headers',
  'attachments',
  'rest',
])
/** Made of other members, or by those who carry a mail. */
const ownHeaders =
  /^(?:from|to|cc|bcc|reply-to|subject|date|message-id|mime-version|content-.*|sender|return-path|received|dkim-signature)$/i
const mostSubject = 900
const mostRecipients = 100
const mostHeader = 5000

/** The schema of the job `mail`. */
export const mailSchema: Schema<StoredMail, PlainMail> = {
  '~standard': { version: 1, vendor: 'plimsoll', validate: (value) => checkMail(value) },
}

/** Reads a mail; whatever would break its head, or send it to others than it says, is refused. */
export function checkMail(value: unknown): SchemaResult<PlainMail> {
  if (typeof value !== 'object' || value === null) return { issues: [{ message: 'is no mail' }] }
  const given = value as { readonly [Member in keyof StoredMail]?: unknown }
  const checks = new MailChecks()
  for (const key of Object.keys(given)) if (!members.has(key)) checks.refuse([key], 'is no part of a mail')
  const mail: PlainMail = {
    from: checks.addresses('from', given.from)[0],
    to: checks.addresses('to', given.to),
    cc: checks.addresses('cc', given.cc),
    bcc: checks.addresses('bcc', given.bcc),
    replyTo: checks.addresses('replyTo', given.replyTo),
    subject: checks.line(['subject'], given.subject, mostSubject),
    text: checks.text('text', given.text),
    html: checks.text('html', given.html),
    headers: checks.headers(given.headers),
    attachments: checks.attachments(given.attachments),
    rest: given.rest === undefined ? undefined : checks.rest(given.rest),
  }
  if (Array.isArray(given.from)) checks.refuse(['from'], 'is one address')
  const count = mail.to.length + mail.cc.length + mail.bcc.length
  if (checks.issues.length === 0 && count === 0) checks.refuse(['to'], 'is empty, and so are cc and bcc')
  if (count > mostRecipients) checks.refuse(['to'], `has more than ${mostRecipients} recipients with cc and bcc`)
  if (mail.text === undefined && mail.html === undefined) checks.refuse(['text'], 'is missing, and so is html')
  return checks.issues.length > 0 ? { issues: checks.issues } : { value: mail }
}

class MailChecks {
  readonly issues: SchemaIssue[] = []

  refuse(path: readonly (string | number)[], message: string): void {
    this.issues.push({ path, message })
  }

  addresses(member: string, given: unknown): PlainAddress[] {
    if (given === undefined || given === null) return []
    const list: readonly unknown[] = Array.isArray(given) ? given : [given]
    const found: PlainAddress[] = []
    for (const one of list) {
      const parsed = parseAddress(one)
      if (typeof parsed === 'string') this.refuse([member], parsed)
      else found.push(parsed)
    }
    return found
  }

  line(path: readonly (string | number)[], given: unknown, most: number): string {
    if (typeof given !== 'string') this.refuse(path, 'is no text')
    else if (hasControl(given)) this.refuse(path, 'has a line break or another control character in it')
    else if (given.length > most) this.refuse(path, `has more than ${most} characters`)
    else return given
    return ''
  }

  text(member: string, given: unknown): string | undefined {
    if (given === undefined || typeof given === 'string') return given
    this.refuse([member], 'is no text')
    return undefined
  }

  rest(given: unknown): RestOfMail {
    const { messageId, recipients } = (given ?? {}) as { readonly [Member in keyof RestOfMail]?: unknown }
    const addresses = this.addresses('rest', recipients).map(({ address }) => address)
    if (addresses.length === 0) this.refuse(['rest'], 'is nobody')
    return { messageId: this.line(['rest', 'messageId'], messageId, 400), recipients: addresses }
  }

  headers(given: unknown): Record<string, string> {
    const headers: Record<string, string> = {}
    for (const [name, value] of Object.entries(given ?? {})) {
      if (!/^[a-z][a-z0-9-]{0,75}$/i.test(name)) this.refuse(['headers', name], 'is no name of a header')
      else if (ownHeaders.test(name)) this.refuse(['headers', name], 'is made of the other members of a mail')
      else headers[name] = this.line(['headers', name], value, mostHeader)
    }
    return headers
  }

  attachments(given: unknown): MailAttachment[] {
    if (given === undefined) return []
    if (!Array.isArray(given)) {
      this.refuse(['attachments'], 'is no list')
      return []
    }
    return given.map((one: unknown, i) => this.#attachment(['attachments', i], one ?? {}))
  }

  #attachment(
    path: readonly (string | number)[],
    given: { readonly [Member in keyof MailAttachment]?: unknown },
  ): MailAttachment {
    const { filename, content, encoding = 'utf8', contentType, cid } = given
    if (typeof content !== 'string') this.refuse([...path, 'content'], 'is no text')
    if (encoding !== 'utf8' && encoding !== 'base64')
      this.refuse([...path, 'encoding'], "is neither 'utf8' nor 'base64'")
    if (contentType !== undefined && !/^[\w.+-]+\/[\w.+-]+(?:; ?[\w-]+=[\w.+-]+)*$/.test(String(contentType)))
      this.refuse([...path, 'contentType'], 'is no media type')
    if (cid !== undefined && !/^[\w.+@-]+$/.test(String(cid))) this.refuse([...path, 'cid'], 'is no id')
    return {
      filename: this.line([...path, 'filename'], filename, 200),
      content: String(content),
      encoding: encoding as 'utf8' | 'base64',
      contentType: contentType as string | undefined,
      cid: cid as string | undefined,
    }
  }
}
