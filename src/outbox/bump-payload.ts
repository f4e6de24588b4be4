/** What a notification on the channel of bumps says. */
export interface BumpMessage {
  /** The process that has sent it. */
  readonly origin: string
  /** Tags that were bumped, keys that were removed by hand, everything at once, or a call to oneself. */
  readonly kind: 'tags' | 'keys' | 'everything' | 'call'
  readonly names: readonly string[]
}

/** Of 16 characters, as `randomToken` makes them. */
const originLength = 16
// PostgreSQL takes less than 8000 bytes. All of ours are ASCII.
const mostBytes = 7999
/** Longer lists are not worth their cost to those who hear them. */
const mostPayloads = 16
const marks = { tags: '', keys: '-', everything: '*', call: '?' } as const

/** Writes a message as payloads of NOTIFY, several when it is long; everything instead when it is too long for that. */
export function toPayloads({ origin, kind, names }: BumpMessage): string[] {
  const head = `${origin}${marks[kind]}[`
  const payloads: string[] = []
  let payload = head
  for (const name of names) {
    const text = asciiJson(name)
    const comma = payload === head ? '' : ','
    if (payload.length + comma.length + text.length < mostBytes) {
      payload += comma + text
      continue
    }
    payloads.push(`${payload}]`)
    payload = head + text
    if (payload.length >= mostBytes || payloads.length === mostPayloads) return [`${origin}${marks.everything}[]`]
  }
  return [...payloads, `${payload}]`]
}

/** Reads a payload. What no process of this version sends is taken for everything: it may mean that. */
export function fromPayload(payload: string): BumpMessage {
  const origin = payload.slice(0, originLength)
  const rest = payload.slice(originLength)
  for (const kind of ['tags', 'keys', 'call'] as const) {
    const names = rest.startsWith(`${marks[kind]}[`) ? namesIn(rest.slice(marks[kind].length)) : undefined
    if (names !== undefined) return { origin, kind, names }
  }
  return { origin, kind: 'everything', names: [] }
}

function namesIn(json: string): readonly string[] | undefined {
  try {
    const names: unknown = JSON.parse(json)
    if (Array.isArray(names) && names.every((name) => typeof name === 'string')) return names
  } catch {
    // It is none of ours.
  }
  return undefined
}

/** In the database's encoding, whichever that is, it has as many bytes as characters. */
function asciiJson(name: string): string {
  return JSON.stringify(name).replaceAll(
    /[\u007f-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
