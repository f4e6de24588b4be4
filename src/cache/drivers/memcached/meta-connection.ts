import { connect, type Socket } from 'node:net'
import type { MetaBatch } from './meta-batch.ts'
import { MetaParser, type MetaReply } from './meta-parser.ts'

/** Where a server is, and who is told that the way to it is lost. */
export interface MetaConnectionOptions {
  readonly host: string
  readonly port: number
  /** The connection is gone without `destroy`. */
  readonly onLost: (cause: Error) => void
}

/** Sends commands to a server, and resolves with their answers in order. */
export type Exchange = (batch: MetaBatch) => Promise<readonly MetaReply[]>

const mostWaitingBytes = 64 * 1024 * 1024

interface Waiting {
  readonly size: number
  readonly replies: MetaReply[]
  readonly resolve: (replies: readonly MetaReply[]) => void
  readonly reject: (error: Error) => void
  next: Waiting | undefined
}

/**
 * One socket to one server. Commands go without waiting for the answers to earlier ones, and all those of a turn of the
 * event loop in one write. Answers come in the order of the commands; an error that could put them out of step ends the
 * connection, so that nobody is ever handed the answer to another's question. It has no time-outs of its own, and does not
 * keep the process alive.
 */
export class MetaConnection {
  readonly #options: MetaConnectionOptions
  #socket: Socket | undefined
  #connected = false
  #head: Waiting | undefined
  #tail: Waiting | undefined
  #pieces: (string | Buffer)[] = []
  #text = ''
  #scheduled = false
  #readBefore = 0
  #onIdle: (() => void) | undefined

  constructor(options: MetaConnectionOptions) {
    this.#options = options
  }

  /** Bytes that came in since it was made, over all sockets. */
  get bytesRead(): number {
    return this.#readBefore + (this.#socket?.bytesRead ?? 0)
  }

  /** Connects; what was connected before is cut. */
  open(): Promise<void> {
    this.destroy(new Error('It is connected anew.'))
    return new Promise((resolve, reject) => {
      const { host, port } = this.#options
      const socket = connect({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: 10_000 }).unref()
      this.#socket = socket
      const parser = new MetaParser((reply) => this.#receive(socket, reply))
      const lost = (error: Error): void => {
        reject(error)
        if (this.#socket !== socket) return
        this.destroy(error)
        this.#options.onLost(error)
      }
      socket
        .once('connect', () => {
          this.#connected = this.#socket === socket
          resolve()
        })
        .on('data', (chunk) => {
          try {
            if (this.#socket === socket) parser.push(chunk)
          } catch (error) {
            lost(error as Error)
          }
        })
        .on('error', lost)
        .on('close', () => lost(new Error('The server closed the connection.')))
    })
  }

  /** Sends commands; resolves with their answers, in order. Rejects when the connection is not there, or lost before them. */
  exchange(batch: MetaBatch): Promise<readonly MetaReply[]> {
    return new Promise((resolve, reject) => {
      const socket = this.#socket
      if (socket === undefined || !this.#connected) return reject(new Error('There is no connection.'))
      if (socket.writableLength > mostWaitingBytes) return reject(new Error('It does not take what is sent to it.'))
      const exchange: Waiting = { size: batch.size, replies: [], resolve, reject, next: undefined }
      if (this.#tail === undefined) this.#head = exchange
      else this.#tail.next = exchange
      this.#tail = exchange
      const { before, text } = batch.takePieces()
      if (before.length > 0) {
        this.#pieces.push(this.#text, ...before)
        this.#text = ''
      }
      this.#text += text
      if (this.#scheduled) return
      this.#scheduled = true
      process.nextTick(() => this.#flush())
    })
  }

  /** True while answers are waited for. */
  get busy(): boolean {
    return this.#head !== undefined
  }

  /** Resolves when every answer that is waited for has come, or never will. For one caller at a time. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#onIdle = resolve
      this.#tellIdle()
    })
  }

  /** Cuts the connection; what waits for answers is rejected with `cause`. */
  destroy(cause: Error): void {
    const socket = this.#socket
    this.#readBefore += socket?.bytesRead ?? 0
    this.#socket = undefined
    this.#connected = false
    this.#pieces = []
    this.#text = ''
    socket?.destroy()
    let exchange = this.#head
    this.#head = undefined
    this.#tail = undefined
    for (; exchange !== undefined; exchange = exchange.next) exchange.reject(cause)
    this.#tellIdle()
  }

  #flush(): void {
    this.#scheduled = false
    const socket = this.#socket
    if (socket === undefined) return
    const pieces = this.#pieces
    const text = this.#text
    this.#text = ''
    if (pieces.length === 0) return void socket.write(text, 'latin1')
    this.#pieces = []
    socket.cork()
    for (const piece of pieces) if (piece.length > 0) socket.write(piece, 'latin1')
    socket.write(text, 'latin1')
    socket.uncork()
  }

  #receive(socket: Socket, reply: MetaReply): void {
    // Whoever was handed an answer may have cut the connection.
    if (this.#socket !== socket) return
    const exchange = this.#head
    // After these it is not certain what the server makes of the bytes that follow.
    if (exchange === undefined || reply.code === 'ERROR' || reply.code === 'CLIENT_ERROR') {
      throw new Error(`The server said ${reply.code} ${reply.flags}`.trim())
    }
    if (exchange.replies.push(reply) < exchange.size) return
    this.#head = exchange.next
    if (this.#head === undefined) this.#tail = undefined
    exchange.resolve(exchange.replies)
    this.#tellIdle()
  }

  #tellIdle(): void {
    if (this.#head === undefined) this.#onIdle?.()
  }
}
