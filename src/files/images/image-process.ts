import { fork, type ChildProcess } from 'node:child_process'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { PlimsollError } from '../../core/errors.ts'
import { imageCrash, imageError, type ImageErrorCode } from './image-error.ts'
import type { ImageFacts, ImageNews, ImageOrder } from './image-messages.ts'

/** What has come of an order. */
export interface MadeImages {
  readonly facts: ImageFacts
  /** The sizes of what was made, in the order of the outputs. */
  readonly sizes: readonly { readonly width: number; readonly height: number }[]
}

interface Current {
  began: boolean
  readonly sizes: { width: number; height: number }[]
  readonly onMade: (index: number) => void
  resolve(made: MadeImages): void
  reject(error: unknown): void
}

/** How long a process may take to start. */
const startMs = 30_000

/** What the process may know of this one's environment: how Node.js and libraries are found, fonts, and where temporary files go. */
const known =
  /^(?:PATH|NODE_OPTIONS|(?:DY)?LD_LIBRARY_PATH|TMPDIR|TEMP|TMP|FONTCONFIG_(?:FILE|PATH)|SystemRoot|windir|PATHEXT)$/i

/** No secret of this process's environment is for one that reads what strangers have sent. */
function needed(): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => known.test(name)))
}

/** The process has ended before it had begun with the order: the image is not to blame. */
export class ImageProcessGone extends Error {
  override readonly name = 'ImageProcessGone'
}

/** A process that makes images, one order at a time. It does not keep this process alive, and ends with it. */
export class ImageProcess {
  /** Resolves when it has ended. */
  readonly ended: Promise<void>
  readonly #child: ChildProcess
  readonly #ready = Promise.withResolvers<void>()
  #current: Current | undefined
  #alive = true
  #stderr = ''

  constructor() {
    const file = new URL(`./image-child${extname(import.meta.url)}`, import.meta.url)
    this.#child = fork(fileURLToPath(file), [], {
      execArgv: ['--max-old-space-size=64'],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: { ...needed(), MALLOC_ARENA_MAX: '2', VIPS_WARNING: '0' },
    })
    this.#ready.promise.catch(() => {})
    this.ended = this.#follow()
  }

  /** True while it can take an order. */
  get fit(): boolean {
    return this.#alive && this.#current === undefined
  }

  /**
   * Carries an order out. When the time is over, or the signal aborts, the process is killed, whatever it does.
   *
   * @throws PLIMSOLL_IMAGE_INVALID, PLIMSOLL_IMAGE_TOO_LARGE, PLIMSOLL_IMAGE_TIMEOUT, PLIMSOLL_PEER_MISSING, what the signal says,
   *   {@link ImageProcessGone}
   */
  async run(
    order: ImageOrder,
    {
      timeoutMs,
      signal,
      onMade = () => {},
    }: {
      readonly timeoutMs: number
      readonly signal?: AbortSignal | undefined
      readonly onMade?: ((index: number) => void) | undefined
    },
  ): Promise<MadeImages> {
    signal?.throwIfAborted()
    const { promise, resolve, reject } = Promise.withResolvers<MadeImages>()
    this.#current = { began: false, sizes: [], onMade, resolve, reject }
    const end = (error: unknown): void => {
      this.#settle((current) => current.reject(error))
      this.kill()
    }
    const abort = (): void => end(signal!.reason)
    signal?.addEventListener('abort', abort, { once: true })
    let timer = setTimeout(
      () => end(new ImageProcessGone(`No process for images was ready within ${startMs} ms.`)),
      startMs,
    )
    try {
      await Promise.race([this.#ready.promise, promise])
      clearTimeout(timer)
      const late = (): void =>
        end(imageError('PLIMSOLL_IMAGE_TIMEOUT', `The image took longer than the ${timeoutMs} ms that it may take.`))
      timer = setTimeout(late, timeoutMs)
      if (this.#alive) this.#child.send(order, () => {})
      return await promise
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
      this.#current = undefined
    }
  }

  /** Ends it, whatever it does. */
  kill(): void {
    this.#alive = false
    this.#child.kill('SIGKILL')
  }

  #follow(): Promise<void> {
    const child = this.#child
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = `${this.#stderr}${text}`.slice(-2000)
    })
    child.on('message', (news: ImageNews) => this.#hear(news))
    for (const handle of [child, child.channel, child.stderr as unknown as { unref?(): void }]) handle?.unref?.()
    const { promise, resolve } = Promise.withResolvers<void>()
    const gone = (how: string, cause?: unknown): void => {
      this.#alive = false
      const said = this.#stderr.trim().split('\n').at(-1) ?? ''
      const message = `The process that reads images has ended (${how})${said === '' ? '' : `: ${said}`}.`
      const error = new ImageProcessGone(message, { cause })
      this.#ready.reject(error)
      this.#settle(({ began, reject }) => reject(began ? imageCrash(message, cause) : error))
      resolve()
    }
    child.once('error', (error) => gone(error.message, error))
    child.once('close', (code, signal) => gone(String(signal ?? code)))
    return promise
  }

  #hear(news: ImageNews): void {
    switch (news.type) {
      case 'ready':
        this.#ready.resolve()
        break
      case 'missing':
        this.#ready.reject(
          new PlimsollError(
            'PLIMSOLL_PEER_MISSING',
            "Making images needs the package 'sharp', which is not installed. Run: npm install sharp",
            { details: { package: 'sharp' } },
          ),
        )
        break
      case 'began':
        if (this.#current !== undefined) this.#current.began = true
        break
      case 'made':
        if (this.#current === undefined) break
        this.#current.sizes[news.index] = { width: news.width, height: news.height }
        this.#current.onMade(news.index)
        break
      case 'done':
        this.#settle(({ resolve, sizes }) => resolve({ facts: news.facts, sizes }))
        break
      case 'failed':
        this.#settle(({ reject }) => reject(imageError(news.code as ImageErrorCode, news.message)))
        break
    }
  }

  #settle(how: (current: Current) => void): void {
    const current = this.#current
    this.#current = undefined
    if (current !== undefined) how(current)
  }
}
