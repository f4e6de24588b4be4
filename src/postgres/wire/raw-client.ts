import type { Duplex } from 'node:stream'
import pg from 'pg'
import { RawConnection } from './raw-connection.ts'
import type { WireClient } from './pg-internals.ts'

/** What {@link RawClient} needs to reach a server. */
export interface RawClientOptions {
  /** A `postgres://` URL. */
  readonly url: string
  readonly connectTimeoutMs: number
  /** Run-time parameters sent at the start of the session, for example `{ TimeZone: 'UTC' }`. */
  readonly parameters: Readonly<Record<string, string>>
  /** Replaces the socket. */
  readonly stream?: (() => Duplex) | undefined
}

const BaseClient = pg.Client as unknown as new (config: pg.ClientConfig) => WireClient

/**
 * The stock client of `pg` with a {@link RawConnection}. Parameters travel in the start-up message itself and not in its
 * `options`, which connection poolers refuse.
 */
export class RawClient extends BaseClient {
  declare connection: RawConnection
  /** What the server said its version is, for example `15.18 (Debian 15.18-0+deb12u1)`. */
  serverVersionText = ''
  readonly #parameters: Readonly<Record<string, string>>

  constructor(options: RawClientOptions) {
    super({ connectionString: options.url, connectionTimeoutMillis: options.connectTimeoutMs })
    this.#parameters = options.parameters
    this.connection = new RawConnection({
      stream: options.stream?.(),
      ssl: this.ssl,
      sslNegotiation: this.sslNegotiation,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
    })
  }

  override getStartupConf(): Record<string, string> {
    return { ...super.getStartupConf(), ...this.#parameters }
  }
}
