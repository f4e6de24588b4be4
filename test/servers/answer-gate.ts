import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'

/** What becomes of the connections when no more answers are let through: they end, or stay and are silent. */
export type NoAnswer = 'end' | 'silence'

/** Of a frame: what is not its payload. */
const overhead = 8
const methodFrame = 1

/** A way to a RabbitMQ that lets a certain number of answers through. */
export class AnswerGate {
  readonly #target: URL
  readonly #pairs = new Set<{ readonly near: Socket; readonly far: Socket }>()
  #server: Server | undefined
  #left = Number.POSITIVE_INFINITY
  #then: NoAnswer = 'end'
  #reached = false
  #answers = 0

  constructor(target: string) {
    this.#target = new URL(target)
  }

  /** The URL of the target through this gate. */
  get url(): string {
    const url = new URL(this.#target)
    url.host = `127.0.0.1:${(this.#server!.address() as AddressInfo).port}`
    return url.href
  }

  /** True when an answer was not let through since {@link limit}. */
  get reached(): boolean {
    return this.#reached
  }

  /** How many answers were let through. */
  get answers(): number {
    return this.#answers
  }

  async start(): Promise<void> {
    this.#server = createServer((near) => this.#join(near))
    await new Promise<void>((resolve) => this.#server!.listen(0, '127.0.0.1', resolve))
  }

  /** Lets so many more answers through, of all connections together. */
  limit(answers: number, then: NoAnswer): void {
    this.#left = answers
    this.#then = then
    this.#reached = false
  }

  /** Lets all answers through again. Connections that are silent stay so. */
  open(): void {
    this.#left = Number.POSITIVE_INFINITY
  }

  /** Ends the connections there are. */
  drop(): void {
    for (const pair of this.#pairs) endBoth(pair)
  }

  stop(): void {
    this.#server?.close()
    this.drop()
  }

  #join(near: Socket): void {
    const pair = { near, far: connect(Number(this.#target.port), this.#target.hostname) }
    const { far } = pair
    this.#pairs.add(pair)
    for (const socket of [near, far]) {
      socket.setNoDelay()
      socket
        .on('error', () => {})
        .on('close', () => {
          endBoth(pair)
          this.#pairs.delete(pair)
        })
    }
    near.pipe(far)
    let rest = Buffer.alloc(0)
    let silent = false
    far.on('data', (bytes: Buffer) => {
      if (silent) return
      rest = Buffer.concat([rest, bytes])
      for (let size = frameSize(rest); size <= rest.length; size = frameSize(rest)) {
        if (rest[0] === methodFrame && !this.#lets()) {
          silent = true
          if (this.#then === 'end') endBoth(pair)
          return
        }
        near.write(rest.subarray(0, size))
        rest = rest.subarray(size)
      }
    })
  }

  #lets(): boolean {
    if (this.#left === 0) {
      this.#reached = true
      return false
    }
    this.#left--
    this.#answers++
    return true
  }
}

/** How many bytes the first frame has; more than can come when that is not known yet. */
function frameSize(bytes: Buffer): number {
  return bytes.length < overhead ? Number.POSITIVE_INFINITY : bytes.readUInt32BE(3) + overhead
}

function endBoth({ near, far }: { readonly near: Socket; readonly far: Socket }): void {
  near.destroySoon()
  far.destroy()
}
