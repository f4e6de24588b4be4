import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'

/** A wire to a server that can be cut or go dead: what a service sees when its database goes away. */
export class Wire {
  #target: URL
  readonly #pairs = new Set<{ near: Socket; far: Socket }>()
  #server: Server | undefined
  #port = 0
  #dead = false

  constructor(target: string) {
    this.#target = new URL(target)
  }

  /** The URL of the target through this wire. */
  get url(): string {
    const url = new URL(this.#target)
    url.host = `127.0.0.1:${this.#port}`
    return url.href
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
