import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'

/** A wire to a server that can be cut or go dead: what a service sees when its database goes away. */
export class Wire {
  #target: URL
  readonly #pairs = new Set<{ near: Socket; far: Socket }>()
  #server: Server | undefined
  #port = 0
  #dead = false
  #mostUnanswered = 0

  constructor(target: string) {
    this.#target = new URL(target)
  }

  /** The URL of the target through this wire. */
  get url(): string {
    const url = new URL(this.#target)
    url.host = `127.0.0.1:${this.#port}`
    return url.href
  }

  /** The most statements that any connection had sent and got no answer to. */
  get mostUnanswered(): number {
    return this.#mostUnanswered
  }

  /** Leads new connections to another server. */
  retarget(url: string): void {
    this.#target = new URL(url)
  }

  /** Accepts connections, on the same port as before when it was cut. */
  async join(): Promise<void> {
    this.#server = createServer((near) => {
      const far = connect(Number(this.#target.port || 5432), this.#target.hostname)
      const pair = { near, far }
      this.#pairs.add(pair)
      for (const [socket, other] of [
        [near, far],
        [far, near],
      ] as const) {
        socket.setNoDelay()
        socket
          .on('error', () => {})
          .on('close', () => {
            other.destroySoon()
            if (other.destroyed) this.#pairs.delete(pair)
          })
      }
      near.pipe(far).pipe(near)
      this.#count(near, far)
      if (this.#dead) stopBoth(pair)
    })
    const server = this.#server
    await new Promise<void>((resolve) => server.listen(this.#port, '127.0.0.1', resolve))
    this.#port = (server.address() as AddressInfo).port
  }

  /** Closes every connection and accepts no new one. */
  async cut(): Promise<void> {
    const closed = new Promise((resolve) => this.#server?.close(resolve))
    this.drop()
    await closed
  }

  /** Closes the connections there are; new ones are accepted. */
  drop(): void {
    for (const { near, far } of this.#pairs) {
      near.destroy()
      far.destroy()
    }
  }

  /** Lets nothing through any more, without closing anything: as when a cable is pulled. */
  goDead(): void {
    this.#dead = true
    for (const pair of this.#pairs) stopBoth(pair)
  }

  /** New connections work again; those that went dead stay dead. */
  comeBack(): void {
    this.#dead = false
  }

  /** Counts Sync messages one way and ReadyForQuery messages the other. */
  #count(near: Socket, far: Socket): void {
    let unanswered = 0
    near.on(
      'data',
      counter(Buffer.from('S\0\0\0\x04', 'latin1'), (found) => {
        unanswered += found
        this.#mostUnanswered = Math.max(this.#mostUnanswered, unanswered)
      }),
    )
    far.on(
      'data',
      counter(Buffer.from('Z\0\0\0\x05', 'latin1'), (found) => {
        unanswered = Math.max(0, unanswered - found)
      }),
    )
  }

  /** Lets `bytes` more of every connection's answers through, then cuts it: a connection that ends within a message. */
  cutWithin(bytes: number): void {
    for (const { near, far } of this.#pairs) {
      let left = bytes
      far.unpipe(near)
      far.on('data', (chunk: Buffer) => {
        near.write(chunk.subarray(0, left))
        left -= chunk.length
        if (left <= 0) near.destroySoon()
      })
      far.resume()
    }
  }
}

function stopBoth({ near, far }: { near: Socket; far: Socket }): void {
  near.unpipe(far)
  far.unpipe(near)
  near.pause()
  far.pause()
}

/** Tells how often a pattern came by, also when it is cut in two. */
function counter(pattern: Buffer, tell: (found: number) => void): (chunk: Buffer) => void {
  let rest = Buffer.alloc(0)
  return (chunk) => {
    const bytes = Buffer.concat([rest, chunk])
    let found = 0
    let at = 0
    for (let next = bytes.indexOf(pattern); next >= 0; next = bytes.indexOf(pattern, at)) {
      found++
      at = next + pattern.length
    }
    rest = Buffer.from(bytes.subarray(Math.max(at, bytes.length - pattern.length + 1)))
    tell(found)
  }
}
