/** An address as it is written in a mail: `'ada@example.com'`, `'Ada <ada@example.com>'`, or its parts. */
export type MailAddress = string | { readonly name?: string | undefined; readonly address: string }

/** An address in its parts. */
export interface PlainAddress {
  readonly name: string
  readonly address: string
}

const withName = /^(?:"((?:[^"\\]|\\["\\])*)"|([^"<>@,;:\\]*?))\s*<([^<>]*)>$/
const mostName = 200
const mostAddress = 254

/** Reads one address; a text that says what is wrong when it is none. Lists in one text are refused: who writes it could add to them. */
export function parseAddress(given: unknown): PlainAddress | string {
  if (typeof given === 'object' && given !== null) {
    const { name = '', address, ...rest } = given as { name?: unknown; address?: unknown }
    if (Object.keys(rest).length > 0) return `has unknown parts: ${Object.keys(rest).join(', ')}`
    if (typeof name !== 'string' || typeof address !== 'string') return 'needs an address, and a name that is a text'
    return check({ name, address })
  }
  if (typeof given !== 'string') return 'is no address'
  if (hasControl(given)) return `is no address: ${JSON.stringify(given.slice(0, 80))}`
  const [, quoted, plain, address] = withName.exec(given.trim()) ?? []
  if (address === undefined) return check({ name: '', address: given.trim() })
  return check({ name: quoted?.replace(/\\(.)/g, '$1') ?? plain!, address })
}

/** The domain of an address. */
export function domainOf(address: string): string {
  return address.slice(address.lastIndexOf('@') + 1)
}

function check(given: PlainAddress): PlainAddress | string {
  const { name, address } = given
  if (hasControl(name)) return 'has a name with a line break or another control character in it'
  if (name.length > mostName) return `has a name of more than ${mostName} characters`
  if (!isAddress(address)) return `is no address: ${JSON.stringify(address.slice(0, 80))}`
  return given
}

/** True for text with control characters, such as line breaks, which would begin another line of a mail's head. */
export function hasControl(text: string): boolean {
  return /[\p{Cc}\u2028\u2029]/u.test(text)
}

/** Addresses as people have them (RFC 5321, 4.1.2, without quoted local parts and address literals; RFC 6531 for other scripts). */
function isAddress(address: string): boolean {
  const at = address.lastIndexOf('@')
  const local = address.slice(0, at)
  if (at < 1 || Buffer.byteLength(address) > mostAddress || Buffer.byteLength(local) > 64) return false
  if (!/^[^\s"(),:;<>@[\\\]\p{Cc}]+$/u.test(local) || /^\.|\.\.|\.$/.test(local)) return false
  return domainOf(address)
    .split('.')
    .every((label) => /^(?!-)[\p{L}\p{M}\p{N}-]{1,63}(?<!-)$/u.test(label))
}
