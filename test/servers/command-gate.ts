import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { MetaParser } from '../../src/cache/drivers/memcached/meta-parser.ts'

/**
 * A way to a Memcached on which every command can be held back until a test lets it through: so that two clients can be
 * made to meet in every order there is.
 */
export class CommandGate {
  readonly #port: number
  #server: Server | undefined
  #open = true
  readonly #held: (() => void)[] = []
  #onHeld: (() => void) | undefined
  #onAnswer: (() => void) | undefined

  constructor(port: number) {
    this.#port = port
  }

  get port(): number {
    return (this.#server!.address() as AddressInfo).port
  }

  async start(): Promise<void> {
    this.#server = createServer((near) => this.#join(near))
    await new Promise<void>((resolve) => this.#server!.listen(0, '127.0.0.1', resolve))
  }

  stop(): void {
    this.#server?.close()
  }

  /** Holds commands back from now on. */
  shut(): void {
    this.#open = false
  }

  /** Lets everything through again. */
  open(): void {
    this.#open = true
    for (const send of this.#held.splice(0)) send()
  }

  /** Resolves when a command is held back. */
  async held(): Promise<void> {
    if (this.#held.length > 0) return
    await new Promise<void>((resolve) => {
      this.#onHeld = resolve
    })
  }

  /** Lets one command through, and resolves when it has been answered. */
  async step(): Promise<void> {
    const answered = new Promise<void>((resolve) => {
      this.#onAnswer = resolve
    })
    this.#held.shift()!()
    await answered
  }

  #join(near: Socket): void {
    const far = connect(this.#port, '127.0.0.1')
    far.setNoDelay()
    near.setNoDelay()
    far.on('error', () => near.destroy()).on('close', () => near.destroy())
    near.on('error', () => far.destroy()).on('close', () => far.destroy())
    const parser = new MetaParser(() => this.#onAnswer?.())
    far.on('data', (bytes) => {
      near.write(bytes)
      parser.push(bytes)
    })
    let rest = Buffer.alloc(0)
    near.on('data', (bytes) => {
      rest = Buffer.concat([rest, bytes])
      for (let size = commandSize(rest); size > 0 && size <= rest.length; size = commandSize(rest)) {
        const command = rest.subarray(0, size)
        rest = rest.subarray(size)
        if (this.#open) far.write(command)
        else this.#hold(() => far.write(command))
      }
    })
  }

  #hold(send: () => void): void {
    this.#held.push(send)
    this.#onHeld?.()
  }
}

/** How many bytes the first command has, with the value that a set is followed by; 0 when its line is not whole. */
function commandSize(bytes: Buffer): number {
  const end = bytes.indexOf('\r\n') + 2
  if (end < 2) return 0
  const [command, , size] = bytes.toString('latin1', 0, end).split(' ')
  return command === 'ms' ? end + Number(size) + 2 : end
}
