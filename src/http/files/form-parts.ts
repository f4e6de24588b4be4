import type { PlimsollError } from '../../core/errors.ts'
import { invalidUpload } from '../../files/uploads/upload-errors.ts'

/** As long as the head of a part may be. */
const longestHead = 8192

/** One field of a form: its bytes have to be read before the next one comes. */
export interface FormPart {
  readonly name: string
  /** Undefined for what is no file. */
  readonly fileName: string | undefined
  readonly body: AsyncGenerator<Buffer, void, undefined>
}

/** The boundary that a Content-Type names; undefined when it is none of a form. */
export function formBoundary(contentType: string | undefined): string | undefined {
  const match = /^multipart\/form-data\s*;.*?boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))/i.exec(contentType ?? '')
  return match?.[1] ?? match?.[2]
}

/**
 * Reads a form (RFC 7578) as it comes, in constant memory.
 *
 * @throws PLIMSOLL_UPLOAD_INVALID for what is none
 */
export async function* formParts(
  body: AsyncIterable<Buffer>,
  boundary: string,
): AsyncGenerator<FormPart, void, undefined> {
  const reader = new FormReader(body, Buffer.from(`\r\n--${boundary}`))
  await reader.begin()
  while (await reader.nextPart()) {
    const head = await reader.head()
    const disposition = /^content-disposition:\s*form-data\s*;(.*)$/im.exec(head)?.[1] ?? ''
    const parameter = (name: string): string | undefined =>
      new RegExp(`(?:^|;)\\s*${name}="([^"]*)"`, 'i').exec(disposition)?.[1]
    yield { name: parameter('name') ?? '', fileName: parameter('filename'), body: reader.content() }
    await reader.skip()
  }
}

class FormReader {
  readonly #source: AsyncIterator<Buffer>
  readonly #delimiter: Buffer
  #buffer: Buffer = Buffer.alloc(0)
  /** Whether the bytes of a part are being read. */
  #inside = false

  constructor(source: AsyncIterable<Buffer>, delimiter: Buffer) {
    this.#source = source[Symbol.asyncIterator]()
    this.#delimiter = delimiter
  }

  /** What is before the first part means nothing. */
  async begin(): Promise<void> {
    // The first delimiter may be without its line break.
    this.#buffer = Buffer.from('\r\n')
    this.#inside = true
    await this.skip()
  }

  /** Behind a delimiter: true when another part comes, false at the end of the form. */
  async nextPart(): Promise<boolean> {
    while (this.#buffer.length < 2) await this.#fill()
    const two = this.#buffer.toString('latin1', 0, 2)
    this.#buffer = this.#buffer.subarray(2)
    if (two === '\r\n') return true
    if (two === '--') return false
    throw broken('a boundary is followed by something else')
  }

  async head(): Promise<string> {
    for (;;) {
      const end = this.#buffer.indexOf('\r\n\r\n')
      if (end >= 0) {
        const head = this.#buffer.toString('utf8', 0, end)
        this.#buffer = this.#buffer.subarray(end + 4)
        this.#inside = true
        return head
      }
      if (this.#buffer.length > longestHead) throw broken('the head of a part is too long')
      await this.#fill()
    }
  }

  async *content(): AsyncGenerator<Buffer, void, undefined> {
    while (this.#inside) {
      const end = this.#buffer.indexOf(this.#delimiter)
      // The last bytes may be the beginning of a delimiter.
      const length = end >= 0 ? end : Math.max(0, this.#buffer.length - this.#delimiter.length + 1)
      const piece = this.#buffer.subarray(0, length)
      this.#buffer = this.#buffer.subarray(end >= 0 ? end + this.#delimiter.length : length)
      this.#inside = end < 0
      if (piece.length > 0) yield piece
      if (this.#inside) await this.#fill()
    }
  }

  async skip(): Promise<void> {
    for await (const _ of this.content());
  }

  async #fill(): Promise<void> {
    const { value, done } = await this.#source.next()
    if (done === true) throw broken('it ends before its last boundary')
    this.#buffer = this.#buffer.length === 0 ? value : Buffer.concat([this.#buffer, value])
  }
}

function broken(reason: string): PlimsollError {
  return invalidUpload(`the form is broken, ${reason}`)
}
