import { crc32cOf, sha256Of } from './checksums.ts'
import { backOff, mayNot, mayPass, UploadError } from './retry.ts'
import { sendBytes } from './send-bytes.ts'
import type { Parts, Signed, Ticket } from './ticket.ts'
import type { UploadedFile } from './uploaded-file.ts'

/** A `File`, or bytes without a name. */
export type LocalFile = Blob & { readonly name?: string; readonly lastModified?: number }

/** How a file is uploaded. */
export interface UploadFileOptions {
  /** How many parts are sent at a time. Default 4. */
  readonly parallel?: number | undefined
  /** How often something is tried again that may pass, before it fails. Default 8. */
  readonly retries?: number | undefined
  /**
   * Has bytes that changed on their way refused: by the SHA-256 of all of them below 16 MB, above by those of the parts, or by CRC-32Cs where the
   * storage checks none of parts, or it is one request. It needs a secure context. Default false.
   */
  readonly checksums?: boolean | undefined
  /** Goes on with an upload of the same file that was broken off, also by a reload. Default true. */
  readonly remember?: boolean | undefined
  /** Headers of requests to the service, such as Authorization; the storage does not get them. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Whether the service gets cookies. Default `'same-origin'`. */
  readonly credentials?: 'omit' | 'same-origin' | 'include' | undefined
  /** Told of bytes that have arrived, as often as the browser says. */
  readonly onProgress?: ((progress: UploadProgress) => void) | undefined
}

/** How far an upload is. */
export interface UploadProgress {
  readonly sent: number
  readonly total: number
}

/** An upload that is under way. */
export interface FileUpload<Result = unknown> {
  /** What it becomes. Rejects with an {@link UploadError}, or an AbortError once it is given up. */
  readonly done: Promise<UploadedFile<Result>>
  /** Sends nothing more until {@link FileUpload.resume}; parts that are on their way are sent again. */
  pause(): void
  resume(): void
  /** Gives it up, at the service too. */
  abort(): Promise<void>
}

/** As much of localStorage as is used; there is none where it is forbidden. */
interface Memory {
  getItem(key: string): string | null
  setItem(key: string, value: string): void
  removeItem(key: string): void
}

/** What is sent of a file at once when its service says so of one request. */
const whole = 0
/** Of smaller files, in bytes, the SHA-256 of the whole is made, for which they are in memory: by default services take larger ones in parts. */
const hashedBelow = 16 * 1024 * 1024
/** How often in a row new addresses are asked for without anything arriving by them: then it is not that they have expired. */
const mostRenewals = 3

/**
 * Uploads a file to a place that `app.uploads` has made: at once or in parallel parts, straight to the storage, with what fails tried again,
 * and after a reload from where it was.
 *
 * @example
 * const upload = uploadFile('/uploads/videos', input.files[0], { onProgress: ({ sent, total }) => (bar.value = sent / total) })
 * const { file, result } = await upload.done
 */
export function uploadFile<Result = unknown>(
  endpoint: string,
  file: LocalFile,
  options: UploadFileOptions = {},
): FileUpload<Result> {
  const upload = new Run(endpoint, file, options)
  return {
    done: upload.done as Promise<UploadedFile<Result>>,
    pause: () => upload.pause(),
    resume: () => upload.resume(),
    abort: () => upload.abort(),
  }
}

class Run {
  readonly done: Promise<UploadedFile>
  readonly #endpoint: string
  readonly #file: LocalFile
  readonly #options: UploadFileOptions
  /** What the file is remembered by; undefined of bytes without a name, which may be any. */
  readonly #key: string | undefined
  /** Ends what is on its way: at a pause, and for good. */
  #running = new AbortController()
  #ended = new AbortController()
  #wake: (() => void) | undefined
  #self: string | undefined
  /** How often addresses were found not to hold any more, which those say that were signed at the same time; and how often so when bytes last arrived. */
  #renewals = 0
  #renewalsBefore = 0
  /** How often a part was tried without arriving. */
  readonly #tries = new Map<number, number>()
  /** Bytes that have left, by part. */
  readonly #sent = new Map<number, number>()

  constructor(endpoint: string, file: LocalFile, options: UploadFileOptions) {
    const base = (globalThis as { readonly location?: { readonly href: string } }).location?.href
    this.#endpoint = new URL(endpoint, base).href
    this.#file = file
    this.#options = options
    const { name, size, lastModified } = file
    this.#key = name && lastModified ? ['plimsoll', endpoint, name, size, lastModified].join(':') : undefined
    this.done = this.#run()
    // Who looks at it later still hears of it.
    this.done.catch(() => {})
  }

  pause(): void {
    if (!this.#running.signal.aborted) this.#running.abort()
  }

  resume(): void {
    if (this.#ended.signal.aborted || !this.#running.signal.aborted) return
    this.#running = new AbortController()
    this.#wake?.()
  }

  async abort(): Promise<void> {
    this.#ended.abort()
    this.#running.abort()
    this.#wake?.()
    this.#forget()
    if (this.#self !== undefined) await this.#giveUp(this.#self)
  }

  async #run(): Promise<UploadedFile> {
    for (let again = 0; ;) {
      const running = this.#running
      try {
        return this.#end(await this.#attempt())
      } catch (error) {
        this.#ended.signal.throwIfAborted()
        if (running.signal.aborted) {
          if (this.#running === running) await new Promise<void>((resolve) => (this.#wake = resolve))
          this.#ended.signal.throwIfAborted()
          // Something has not arrived that we thought had.
        } else if (!(error instanceof UploadError && error.status === 409 && again++ < 3)) {
          // Others may still be sending.
          running.abort()
          // Who may not now may later: he logs in again, or the storage is mended.
          if (error instanceof UploadError && error.status > 0 && !mayPass(error.status) && !mayNot(error.status))
            this.#forget()
          throw error
        }
      }
    }
  }

  async #attempt(): Promise<UploadedFile> {
    for (;;) {
      const renewal = this.#renewals
      const ticket = await this.#ticket()
      this.#self = this.#at(ticket.self)
      if (ticket.stored !== null) return ticket.stored
      const { problem, put, parts } = ticket
      if (problem !== null) throw new UploadError(String(problem['detail']), Number(problem['status']), problem)
      if (parts !== null) await this.#send(parts)
      if (put === null || (await this.#put({ ...put, number: whole, renewal }, this.#file)))
        return (await this.#ask(ticket.complete, 'POST')) as UploadedFile
    }
  }

  #end(stored: UploadedFile): UploadedFile {
    this.#forget()
    this.#report(whole, this.#file.size)
    return stored
  }

  /** Of an upload that was broken off, or a new one. */
  async #ticket(): Promise<Ticket> {
    const known = this.#self ?? this.#recall()
    if (known !== undefined) {
      try {
        return (await this.#ask(known, 'GET')) as Ticket
      } catch (error) {
        // It was given up meanwhile.
        if (!(error instanceof UploadError) || (error.status !== 404 && error.status !== 403)) throw error
        this.#self = undefined
      }
    }
    const ticket = await this.#begin()
    this.#remember(this.#at(ticket.self))
    return ticket
  }

  async #begin(): Promise<Ticket> {
    const { name = 'file', size, type } = this.#file
    const begin = (sums: object): Promise<unknown> => this.#ask(this.#endpoint, 'POST', { name, size, type, ...sums })
    if (this.#options.checksums !== true) return (await begin({})) as Ticket
    if (size < hashedBelow) return (await begin({ sha256: await sha256Of(this.#file) })) as Ticket
    const ticket = (await begin({})) as Ticket
    if (ticket.parts?.checksums.includes('sha256') === true) return ticket
    // Nothing would tell other bytes, so it is begun with what every storage can compare, and is read for that once more.
    await this.#giveUp(this.#at(ticket.self))
    return (await begin({ crc32c: await crc32cOf(this.#file, this.#running.signal) })) as Ticket
  }

  async #giveUp(self: string): Promise<void> {
    await fetch(self, { method: 'DELETE', ...this.#asks() }).catch(() => {})
  }

  async #send(parts: Parts): Promise<void> {
    const { size, count, arrived } = parts
    const slice = (number: number): Blob => this.#file.slice((number - 1) * size, number * size)
    for (const number of arrived) this.#sent.set(number, slice(number).size)
    const missing = Array.from({ length: count }, (_, at) => at + 1).filter((number) => !arrived.includes(number))
    const signed: Signed[] = []
    let signing: Promise<void> = Promise.resolve()
    /** The next part to send. Whoever finds that there are none has the next ones signed, for all. */
    const next = async (): Promise<Signed | undefined> => {
      signing = signing.then(async () => {
        // Those that were signed together expire together.
        if (signed[0]?.renewal !== this.#renewals) missing.unshift(...signed.splice(0).map(({ number }) => number))
        if (signed.length === 0 && missing.length > 0)
          signed.push(...(await this.#sign(parts, missing.splice(0, this.#batch(parts)), slice)))
      })
      await signing
      return signed.shift()
    }
    const worker = async (): Promise<void> => {
      for (let part = await next(); part !== undefined; part = await next()) {
        if (!(await this.#put(part, slice(part.number)))) missing.push(part.number)
      }
    }
    const { parallel = 4 } = this.#options
    await Promise.all(Array.from({ length: Math.min(parallel, missing.length) }, worker))
  }

  #batch({ most }: Parts): number {
    return Math.min(most, 4 * (this.#options.parallel ?? 4))
  }

  async #sign(
    { url, checksums }: Parts,
    numbers: readonly number[],
    slice: (number: number) => Blob,
  ): Promise<readonly Signed[]> {
    const renewal = this.#renewals
    const wanted: object[] = []
    // One after the other, so that one of them is in memory at a time.
    for (const number of numbers) wanted.push({ number, ...(await this.#sumsOf(slice(number), checksums)) })
    const { parts } = (await this.#ask(url, 'POST', { parts: wanted })) as { readonly parts: readonly Signed[] }
    return parts.map((part) => ({ ...part, renewal }))
  }

  /** What a part is bound to: a storage that does not check a checksum refuses it. */
  async #sumsOf(part: Blob, checked: readonly string[]): Promise<object> {
    if (this.#options.checksums !== true) return {}
    if (checked.includes('sha256')) return { sha256: await sha256Of(part) }
    return checked.includes('crc32c') ? { crc32c: await crc32cOf(part, this.#running.signal) } : {}
  }

  /** Sends bytes, and again until they arrive; false when another address is to be had for them. */
  async #put({ url, headers, number, renewal }: Signed, body: Blob): Promise<boolean> {
    const { signal } = this.#running
    const { retries = 8 } = this.#options
    for (;;) {
      signal.throwIfAborted()
      const status = await sendBytes({
        url: this.#at(url),
        headers,
        body,
        signal,
        onSent: (bytes) => this.#report(number, Math.min(bytes, body.size)),
      })
      // One that may be written once was, by a request whose answer was lost.
      if ((status >= 200 && status < 300) || (status === 412 && number === whole)) {
        this.#report(number, body.size)
        this.#tries.delete(number)
        this.#renewalsBefore = this.#renewals
        return true
      }
      this.#report(number, 0)
      // It has expired: Google says so by 400, others by 403.
      const expired = status === 400 || status === 403
      // Of those that were signed together the first one counts.
      if (expired && renewal === this.#renewals) this.#renewals++
      if (expired && this.#renewals - this.#renewalsBefore <= mostRenewals) return false
      const tries = this.#tries.get(number) ?? 0
      if (!mayPass(status) || tries >= retries)
        throw new UploadError(`The storage has refused bytes (${status}).`, status)
      this.#tries.set(number, tries + 1)
      await backOff(tries, signal)
      if (status !== 0) continue
      // Some services do not let a page see that its address has expired. It may be that, and counts as a try.
      if (renewal === this.#renewals) {
        this.#renewals++
        this.#renewalsBefore++
      }
      return false
    }
  }

  /** Asks the service, and again while it is away. */
  async #ask(url: string, method: string, body?: object): Promise<unknown> {
    const { signal } = this.#running
    const { retries = 8 } = this.#options
    for (let attempt = 0; ; attempt++) {
      signal.throwIfAborted()
      const { headers, credentials } = this.#asks()
      const init = {
        method,
        credentials,
        signal,
        headers: body === undefined ? headers : { ...headers, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }
      const answer = await fetch(this.#at(url), init).catch((error: unknown) => {
        if (signal.aborted) throw error
        return undefined
      })
      const said = (await answer?.json().catch(() => undefined)) as Readonly<Record<string, unknown>> | undefined
      signal.throwIfAborted()
      if (answer?.ok === true && said !== undefined) return said
      // An answer that breaks off is none.
      const status = answer === undefined || answer.ok ? 0 : answer.status
      if (!mayPass(status) || attempt >= retries) {
        throw new UploadError(String(said?.['detail'] ?? `The service does not answer (${status}).`), status, said)
      }
      await backOff(attempt, signal)
    }
  }

  #asks(): Pick<Required<UploadFileOptions>, 'headers' | 'credentials'> & { readonly headers: Record<string, string> } {
    const { headers = {}, credentials = 'same-origin' } = this.#options
    return { headers: { accept: 'application/json', ...headers }, credentials }
  }

  #at(url: string): string {
    return new URL(url, this.#endpoint).href
  }

  #report(number: number, bytes: number): void {
    if (number === whole) this.#sent.clear()
    this.#sent.set(number, bytes)
    let sent = 0
    for (const part of this.#sent.values()) sent += part
    this.#options.onProgress?.({ sent, total: this.#file.size })
  }

  #recall(): string | undefined {
    return this.#memory()?.getItem(this.#key!) ?? undefined
  }

  #remember(self: string): void {
    try {
      this.#memory()?.setItem(this.#key!, self)
    } catch {
      // It is full: there is no going on after a reload.
    }
  }

  #forget(): void {
    this.#memory()?.removeItem(this.#key!)
  }

  #memory(): Memory | undefined {
    if (this.#options.remember === false || this.#key === undefined) return undefined
    try {
      return (globalThis as { readonly localStorage?: Memory }).localStorage
    } catch {
      return undefined
    }
  }
}
