import type {} from '../../../core/buffer-slices.ts'
/** The first word of an answer of Memcached's meta protocol; the last three are its errors. */
export type MetaCode = 'VA' | 'HD' | 'EN' | 'NS' | 'EX' | 'NF' | 'MN' | 'ERROR' | 'CLIENT_ERROR' | 'SERVER_ERROR'

/** The answer to one command. */
export interface MetaReply {
  readonly code: MetaCode
  /** What came back beside the code, words apart by spaces: `c31 t60 W`; the message of an error. */
  readonly flags: string
  /** The value of a `VA`, in memory of its own. */
  readonly value: Buffer | undefined
}

// No line of the protocol is longer: a key of 250 bytes and a handful of flags, or a sentence.
const mostLineBytes = 4096
// Servers may be told to keep items of up to 1 GiB; nobody's client should take a length for granted.
const mostValueBytes = 1024 * 1024 * 1024

const plain = new Map(
  (['HD', 'EN', 'NS', 'EX', 'NF', 'MN'] as const).map((code) => [
    (code.charCodeAt(0) << 8) | code.charCodeAt(1),
    Object.freeze<MetaReply>({ code, flags: '', value: undefined }),
  ]),
)
const valueCode = (0x56 << 8) | 0x41
const space = 0x20
const carriageReturn = 0x0d
const lineFeed = 0x0a

/**
 * Cuts a stream of bytes into answers, wherever the chunks are cut. A value that is spread over many chunks is copied once,
 * into its place. See `protocol.txt`, "Meta Commands", of Memcached 1.6.
 */
export class MetaParser {
  readonly #sink: (reply: MetaReply) => void
  #rest: Buffer | undefined
  #body: Buffer | undefined
  #flags = ''
  /** How much of the value, and of the line end behind it, is there. */
  #have = 0

  /** `sink` is called with every answer that is complete. */
  constructor(sink: (reply: MetaReply) => void) {
    this.#sink = sink
  }

  /**
   * Takes the next bytes.
   *
   * @throws Error for what the protocol does not allow; whatever comes after it means nothing.
   */
  push(bytes: Buffer): void {
    let chunk = bytes
    let at = 0
    if (this.#body !== undefined) {
      at = this.#fill(this.#body, chunk, 0)
      if (at === chunk.length) return
    } else if (this.#rest !== undefined) {
      chunk = Buffer.concat([this.#rest, bytes])
      this.#rest = undefined
    }
    for (;;) {
      const end = chunk.indexOf(lineFeed, at)
      if (end < 0) break
      if (end - at > mostLineBytes) throw new Error('The server sent a line without an end.')
      if (end === at || chunk[end - 1] !== carriageReturn) throw strange(chunk, at, end)
      at = this.#line(chunk, at, end - 1)
      if (this.#body !== undefined) return
    }
    if (chunk.length - at > mostLineBytes) throw new Error('The server sent a line without an end.')
    // Copied, so that a few bytes of the next answer do not keep a whole read buffer alive.
    if (at < chunk.length) this.#rest = Buffer.from(chunk.subarray(at))
  }

  /** Reads one line without its end; where the next one begins. */
  #line(chunk: Buffer, start: number, end: number): number {
    const third = start + 2
    if (third === end || chunk[third] === space) {
      const code = (chunk[start]! << 8) | chunk[start + 1]!
      if (code === valueCode) return this.#value(chunk, start, end)
      const reply = plain.get(code)
      if (reply !== undefined) {
        this.#sink(end > third + 1 ? { ...reply, flags: chunk.latin1Slice(third + 1, end) } : reply)
        return end + 2
      }
    }
    const line = chunk.latin1Slice(start, end)
    const error = /^(ERROR|CLIENT_ERROR|SERVER_ERROR)(?: (.*))?$/.exec(line)
    if (error === null) throw strange(chunk, start, end)
    this.#sink({ code: error[1] as MetaCode, flags: error[2] ?? '', value: undefined })
    return end + 2
  }

  #value(chunk: Buffer, start: number, end: number): number {
    let at = start + 3
    let size = 0
    for (; at < end && chunk[at] !== space; at++) {
      const digit = chunk[at]! - 0x30
      if (digit < 0 || digit > 9) throw strange(chunk, start, end)
      size = size * 10 + digit
      if (size > mostValueBytes) throw new Error(`The server sent a value of ${size} bytes or more.`)
    }
    if (at === start + 3 || end < start + 4) throw strange(chunk, start, end)
    const flags = at + 1 < end ? chunk.latin1Slice(at + 1, end) : ''
    const begin = end + 2
    const after = begin + size + 2
    if (after <= chunk.length) {
      if (chunk[after - 2] !== carriageReturn || chunk[after - 1] !== lineFeed) throw unended(size)
      // A copy: a small value that is kept must not keep the read buffer around it alive.
      this.#sink({ code: 'VA', flags, value: Buffer.from(chunk.subarray(begin, begin + size)) })
      return after
    }
    this.#body = Buffer.allocUnsafe(size)
    this.#flags = flags
    this.#have = 0
    return this.#fill(this.#body, chunk, begin)
  }

  /** Takes more of a value; where in the chunk it stopped. */
  #fill(body: Buffer, chunk: Buffer, start: number): number {
    let at = start
    if (this.#have < body.length) {
      const copied = chunk.copy(body, this.#have, at)
      this.#have += copied
      at += copied
    }
    for (; at < chunk.length && this.#have >= body.length; at++) {
      if (chunk[at] !== (this.#have === body.length ? carriageReturn : lineFeed)) throw unended(body.length)
      if (++this.#have < body.length + 2) continue
      this.#body = undefined
      this.#sink({ code: 'VA', flags: this.#flags, value: body })
      return at + 1
    }
    return at
  }
}

/** The token of a flag of an answer (`c` of `c31 t60`); '' for a flag without one, undefined for none. */
export function flagOf(reply: MetaReply, flag: string): string | undefined {
  const { flags } = reply
  let at = flags.startsWith(flag) ? 0 : flags.indexOf(` ${flag}`) + 1
  if (at === 0 && !flags.startsWith(flag)) return undefined
  at++
  const end = flags.indexOf(' ', at)
  return flags.slice(at, end < 0 ? undefined : end)
}

function strange(chunk: Buffer, start: number, end: number): Error {
  const shown = JSON.stringify(chunk.latin1Slice(start, Math.min(end, start + 60)))
  return new Error(`The server sent ${shown}, which the meta protocol of Memcached does not have.`)
}

function unended(size: number): Error {
  return new Error(`The server sent a value that does not end after its ${size} bytes.`)
}
