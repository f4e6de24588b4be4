import type { EventEmitter } from 'node:events'
import type { Duplex } from 'node:stream'

/** What `pg.Connection` is at run time; its published types leave out what a subclass needs. */
export interface WireConnection extends EventEmitter {
  stream: Duplex & { ref?(): void; unref?(): void }
  /** Texts of the named statements that the server has, or has been sent, through `pg.Query`. */
  parsedStatements: Record<string, string>
  submittedNamedStatements: Record<string, string>
  connect(port: number | string, host?: string): void
  requestSsl(): void
  cancel(processId: number, secretKey: number): void
  attachListeners(stream: Duplex): void
  sendCopyFail(message: string): void
  end(): void
}

/** The options of `pg.Connection`. */
export interface ConnectionConfig {
  readonly stream?: Duplex | undefined
  readonly ssl?: unknown
  readonly sslNegotiation?: string | undefined
  readonly keepAlive?: boolean | undefined
  readonly keepAliveInitialDelayMillis?: number | undefined
}

/** What a `pg.Client` has read from its configuration, and the identity of its session on the server. */
export interface WireClient extends EventEmitter {
  connection: WireConnection
  readonly host: string
  readonly port: number
  readonly user: string
  readonly database: string
  readonly ssl: unknown
  readonly sslNegotiation: string
  readonly processID: number | null
  readonly secretKey: number | null
  connect(): Promise<unknown>
  getStartupConf(): Record<string, string>
}

/** The part of `pg.Query` that a connection drives: it keeps the results of one query as `pg` shapes them. */
export interface WireQuery {
  name?: string | undefined
  readonly text: string
  readonly values?: readonly unknown[] | undefined
  callback: (error: Error | undefined, result: unknown) => void
  submit(connection: unknown): Error | null
  handleRowDescription(message: unknown): void
  handleDataRow(message: unknown): void
  handleCommandComplete(message: unknown, connection: unknown): void
  handleEmptyQuery(connection: unknown): void
  handleReadyForQuery(connection: unknown): void
  handleError(error: Error, connection: unknown): void
}
