import { availableParallelism } from 'node:os'
import { imageError } from './image-error.ts'
import type { PlainLimits } from './image-limits.ts'
import type { ImageOrder } from './image-messages.ts'
import { ImageProcess, ImageProcessGone, type MadeImages } from './image-process.ts'

/** How one image is made. */
export interface MakeOptions {
  readonly limits: PlainLimits
  readonly signal?: AbortSignal | undefined
  /** Called when an output is there. */
  readonly onMade?: ((index: number) => void) | undefined
}

/** Makes variants of images, in processes of its own, so many at a time. */
export interface ImageMaker {
  /**
   * Makes files of a file.
   *
   * @throws PLIMSOLL_IMAGE_INVALID, PLIMSOLL_IMAGE_TOO_LARGE, PLIMSOLL_IMAGE_TIMEOUT, PLIMSOLL_IMAGES_BUSY, PLIMSOLL_PEER_MISSING
   */
  make(order: Pick<ImageOrder, 'input' | 'outputs'>, options: MakeOptions): Promise<MadeImages>
  /** Kills what is under way. */
  close(): Promise<void>
}

/** A process that has nothing to do for so long is ended. */
const idleMs = 30_000
/** The one library and its threads do not give all memory back to the system. */
const mostOrders = 200
const mostStarts = 3

/** Opens a maker; no process is started before the first image. `most`: at a time, `mostWaiting`: beside them. */
export function openImageMaker({
  most = Math.max(1, Math.min(4, availableParallelism() - 1)),
  mostWaiting = 200,
}: { readonly most?: number; readonly mostWaiting?: number } = {}): ImageMaker {
  return new Maker(most, mostWaiting)
}

interface Kept {
  readonly process: ImageProcess
  orders: number
  timer: NodeJS.Timeout | undefined
}

class Maker implements ImageMaker {
  readonly #most: number
  readonly #mostWaiting: number
  readonly #idle: Kept[] = []
  readonly #all = new Set<Kept>()
  readonly #waiting: (() => void)[] = []
  #busy = 0
  #closed = false

  constructor(most: number, mostWaiting: number) {
    this.#most = most
    this.#mostWaiting = mostWaiting
  }

  async make(
    order: Pick<ImageOrder, 'input' | 'outputs'>,
    { limits, signal, onMade }: MakeOptions,
  ): Promise<MadeImages> {
    await this.#turn(signal)
    try {
      const { maxPixels, memoryBytes, svg, timeoutMs } = limits
      for (let start = 1; ; start++) {
        const kept = this.#take()
        try {
          const full = { ...order, maxPixels, memoryBytes, svg }
          return await kept.process.run(full, { timeoutMs, signal, onMade })
        } catch (error) {
          if (!(error instanceof ImageProcessGone) || start === mostStarts || this.#closed) throw error
        } finally {
          this.#keep(kept)
        }
      }
    } finally {
      this.#busy--
      this.#waiting.shift()?.()
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    const all = [...this.#all]
    for (const kept of all) this.#end(kept)
    await Promise.all(all.map(({ process }) => process.ended))
  }

  /** Resolves when there is room. */
  async #turn(signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted()
    if (this.#closed) throw imageError('PLIMSOLL_IMAGES_BUSY', 'The application is closing, and makes no more images.')
    if (this.#busy < this.#most) {
      this.#busy++
      return
    }
    if (this.#waiting.length >= this.#mostWaiting)
      throw imageError('PLIMSOLL_IMAGES_BUSY', `${this.#mostWaiting} images wait to be made already.`)
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const go = (): void => {
      this.#busy++
      resolve()
    }
    const leave = (): void => {
      const place = this.#waiting.indexOf(go)
      if (place >= 0) this.#waiting.splice(place, 1)
      reject(signal!.reason)
    }
    this.#waiting.push(go)
    signal?.addEventListener('abort', leave, { once: true })
    await promise.finally(() => signal?.removeEventListener('abort', leave))
  }

  #take(): Kept {
    for (let kept = this.#idle.pop(); kept !== undefined; kept = this.#idle.pop()) {
      clearTimeout(kept.timer)
      kept.orders++
      if (kept.process.fit) return kept
    }
    const kept: Kept = { process: new ImageProcess(), orders: 1, timer: undefined }
    this.#all.add(kept)
    void kept.process.ended.then(() => this.#all.delete(kept))
    return kept
  }

  #keep(kept: Kept): void {
    if (this.#closed || !kept.process.fit || kept.orders >= mostOrders) {
      this.#end(kept)
      return
    }
    kept.timer = setTimeout(() => this.#end(kept), idleMs)
    kept.timer.unref()
    this.#idle.push(kept)
  }

  #end(kept: Kept): void {
    clearTimeout(kept.timer)
    const place = this.#idle.indexOf(kept)
    if (place >= 0) this.#idle.splice(place, 1)
    kept.process.kill()
  }
}
