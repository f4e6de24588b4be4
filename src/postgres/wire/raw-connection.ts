import type { Duplex } from 'node:stream'
import pg from 'pg'
import { Parser } from 'pg-protocol/dist/parser.js'
import type { ConnectionConfig, WireConnection } from './pg-internals.ts'
import { MessageSplitter, type MessageSink } from './message-splitter.ts'

const readyForQuery = 0x5a

const BaseConnection = pg.Connection as unknown as new (config: ConnectionConfig) => WireConnection

/**
 * The stock connection of `pg`, which opens the socket, negotiates TLS and authenticates. From the first ReadyForQuery
 * on, messages go as bytes to `onMessage` instead of being parsed into objects and emitted.
 */
export class RawConnection extends BaseConnection {
  /** Takes every message after the start-up. */
  onMessage: MessageSink = ignore
  #started = false

  override attachListeners(stream: Duplex): void {
    const parser = new Parser()
    const splitter = new MessageSplitter((type, chunk, start, end) => {
      if (this.#started) return this.onMessage(type, chunk, start, end)
      if (type === readyForQuery) this.#started = true
      parser.parse(chunk.subarray(start - 5, end), (message) => {
        this.emit((message.name as string) === 'error' ? 'errorMessage' : message.name, message)
      })
    })
    stream.on('data', (bytes: Buffer) => {
      try {
        splitter.push(bytes)
      } catch (error) {
        stream.destroy(error as Error)
      }
    })
  }
}

function ignore(): void {}
