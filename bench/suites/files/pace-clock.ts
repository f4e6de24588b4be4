import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** For so long a pace is taken for that of the machine, in ms. */
const keepsMs = 60_000

/**
 * Times work in milliseconds of the machine as it was when the clock was opened. What else runs on its processor makes a virtual machine
 * a tenth slower or quicker for minutes, of which an encode of half an hour knows nothing: so the same short clip is encoded beforehand
 * and afterwards.
 */
export class PaceClock {
  readonly #encode: () => Promise<unknown>
  #firstMs = 0
  #lastMs = 0
  #lookedAt = Number.NEGATIVE_INFINITY

  private constructor(encode: () => Promise<unknown>) {
    this.#encode = encode
  }

  /** `clip` is a video that takes it some seconds to encode. */
  static async open(ffmpeg: string, clip: string): Promise<PaceClock> {
    const clock = new PaceClock(() =>
      run(ffmpeg, ['-v', 'error', '-nostdin', '-i', clip, '-c:v', 'libx264', '-preset', 'veryfast', '-f', 'null', '-']),
    )
    await clock.#look()
    clock.#firstMs = clock.#lastMs
    return clock
  }

  /** How long everything takes now, as a multiple of what it took when the clock was opened. */
  get pace(): number {
    return this.#lastMs / this.#firstMs
  }

  async time(work: () => Promise<unknown>): Promise<number> {
    await this.#lookAgain()
    const paceBefore = this.pace
    const began = performance.now()
    await work()
    const tookMs = performance.now() - began
    await this.#lookAgain()
    return (tookMs * 2) / (paceBefore + this.pace)
  }

  async #lookAgain(): Promise<void> {
    if (performance.now() - this.#lookedAt > keepsMs) await this.#look()
  }

  async #look(): Promise<void> {
    const began = performance.now()
    await this.#encode()
    this.#lookedAt = performance.now()
    this.#lastMs = this.#lookedAt - began
  }
}
