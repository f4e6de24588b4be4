// The load generator, in a process of its own: keep-alive HTTP/1.1 over plain sockets, so that it takes as little as possible
// of the cores that the contestant and PostgreSQL need.
import { connect, type Socket } from 'node:net'
import { postIdAt, runClosedLoop } from './closed-loop.ts'
import type { LoadRequest } from './protocol.ts'
import { serveWorker } from './worker.ts'

const headEnd = Buffer.from('\r\n\r\n')

class KeepAliveClient {
  readonly #socket: Socket
  #received: Buffer[] = []
  #length = 0
  #expected = 0
  #settle: { resolve: () => void; reject: (error: Error) => void } | undefined

  constructor(port: number) {
    this.#socket = connect({ host: '127.0.0.1', port, noDelay: true })
    this.#socket.on('data', (chunk) => this.#receive(chunk))
    this.#socket.on('error', (error) => this.#settle?.reject(error))
    this.#socket.on('close', () => this.#settle?.reject(new Error('The server closed the connection')))
  }

  get(path: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject }
      this.#socket.write(`GET ${path} HTTP/1.1\r\nhost: bench\r\n\r\n`)
    })
  }

  close(): void {
    this.#settle = undefined
    this.#socket.destroy()
  }

  #receive(chunk: Buffer): void {
    this.#received.push(chunk)
    this.#length += chunk.length
    if (this.#expected === 0 && !this.#readHead()) return
    if (this.#length < this.#expected) return
    const settle = this.#settle!
    this.#received = []
    this.#length = this.#expected = 0
    this.#settle = undefined
    settle.resolve()
  }

  #readHead(): boolean {
    const bytes = this.#received.length === 1 ? this.#received[0]! : Buffer.concat(this.#received)
    const end = bytes.indexOf(headEnd)
    if (end === -1) return false
    const head = bytes.toString('latin1', 0, end)
    const length = /\r\ncontent-length: (\d+)/i.exec(head)
    if (!head.startsWith('HTTP/1.1 200') || !length) {
      this.#settle?.reject(new Error(`Unexpected response: ${head.slice(0, 200)}`))
      return false
    }
    this.#expected = end + 4 + Number(length[1])
    return true
  }
}

serveWorker<LoadRequest>(async ({ port, path, connections, durationMs }) => {
  const clients = Array.from({ length: connections }, () => new KeepAliveClient(port))
  const idle = [...clients]
  try {
    return await runClosedLoop(
      async (sequence) => {
        const client = idle.pop()!
        await client.get(path.replace('{id}', String(postIdAt(sequence))))
        idle.push(client)
      },
      { concurrency: connections, durationMs },
    )
  } finally {
    for (const client of clients) client.close()
  }
})
