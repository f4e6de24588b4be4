import type { Duplex } from 'node:stream'
import { PlimsollError } from '../../core/errors.ts'
import { events } from '../../core/events.ts'
import { sendCancelRequest } from './cancel-request.ts'
import type { PostgresSettings } from '../options.ts'
import { Session, type SessionOwner, type SessionPurpose, type SessionSettings } from './session.ts'
import { executeOn } from './execute.ts'
import type { ServerError } from './sql-state.ts'
import { createStatement } from '../statement.ts'
import { RawClient } from '../wire/raw-client.ts'

const guardGraceMs = 1000

/** Opens the sessions of one door, and keeps what all of them learn about the way to the server. */
export class SessionOpener {
  /** True when a transaction pooler is in between: sessions are not ours between two transactions. */
  pooled: boolean
  /** For example 150018 for 15.18; 0 before the first connection. */
  serverVersion = 0
  readonly settings: PostgresSettings
  readonly #stream: (() => Duplex) | undefined
  readonly #readOnly: boolean
  /** Wakes the clock of the door. */
  readonly wake: () => void
  #named: boolean
  #probed = false

  /** `readOnly`: the server is to refuse writes on these sessions, also where it is no standby (any more). */
  constructor(
    settings: PostgresSettings,
    options: { readonly wake: () => void; readonly stream?: () => Duplex; readonly readOnly?: boolean },
  ) {
    this.settings = settings
    this.#readOnly = options.readOnly ?? false
    this.pooled = settings.pgbouncer
    this.#named = settings.prepare === 'named' || (settings.prepare === 'auto' && !settings.pgbouncer)
    this.#stream = options.stream
    this.wake = options.wake
  }

  /**
   * Opens one session.
   *
   * @throws PLIMSOLL_DATABASE_UNREACHABLE with the URL (without its password) and the cause.
   */
  async open(purpose: SessionPurpose, owner: SessionOwner): Promise<Session> {
    const began = performance.now()
    try {
      const client = await this.#connect()
      this.serverVersion = toVersionNumber(client)
      const session = new Session(client, purpose, { owner, settings: this.#sessionSettings() })
      if (!this.#probed && this.#stream === undefined) {
        await this.#lookForPooler(session).catch((error: unknown) => {
          session.destroy()
          throw error
        })
      }
      // The clock keeps the process alive while statements run; an idle connection does not.
      client.connection.stream.unref?.()
      if (events.hasSubscribers) {
        events.publish({ type: 'connection.open', purpose, durationMs: performance.now() - began })
      }
      return session
    } catch (error) {
      throw unreachable(this.settings, error as ServerError)
    }
  }

  /** A pooler that is told to ignore the time-out we ask for gives itself away by the server's not having it. */
  async #lookForPooler(session: Session): Promise<void> {
    if (this.pooled) return
    const { statementTimeoutMs } = this.settings
    const probe = createStatement(`select current_setting('statement_timeout')::interval = $1::interval`, {
      prepare: false,
    })
    let ours = false
    const target = { submit: session.send.bind(session), cancel: (): void => {} }
    await executeOn(target, probe, {
      values: [`${Math.ceil(statementTimeoutMs)} milliseconds`],
      // One column of one byte: 't'.
      sink: (chunk, _start, end) => {
        ours = chunk[end - 1] === 0x74
      },
    })
    this.#probed = true
    if (!ours) this.#foundPooler()
  }

  #foundPooler(): void {
    this.pooled = true
    if (this.settings.prepare === 'auto') this.#named = false
  }

  async #connect(): Promise<RawClient> {
    try {
      return await this.#connectOnce()
    } catch (error) {
      // A pooler names the parameter that it does not pass on; a server takes all of ours.
      if (this.pooled || (error as ServerError).code !== '08P01') throw error
      this.#foundPooler()
      return await this.#connectOnce()
    }
  }

  async #connectOnce(): Promise<RawClient> {
    const client = new RawClient({
      url: this.#stream ? 'postgres://postgres@localhost/postgres' : this.settings.url,
      connectTimeoutMs: this.settings.connectTimeoutMs,
      parameters: this.#parameters(),
      stream: this.#stream,
    })
    const versionSeen = { text: '' }
    client.connection.on('parameterStatus', (message: { parameterName: string; parameterValue: string }) => {
      if (message.parameterName === 'server_version') versionSeen.text = message.parameterValue
    })
    // Errors of the socket reach connect() as well; without a listener they would end the process.
    client.on('error', ignore)
    try {
      await client.connect()
    } catch (error) {
      client.connection.stream.destroy()
      throw error
    }
    client.serverVersionText = versionSeen.text
    return client
  }

  #parameters(): Record<string, string> {
    const parameters: Record<string, string> = {
      application_name: this.settings.applicationName,
      TimeZone: 'UTC',
      DateStyle: 'ISO, MDY',
    }
    if (this.pooled || this.#stream !== undefined) return parameters
    return {
      ...parameters,
      IntervalStyle: 'postgres',
      statement_timeout: String(Math.ceil(this.settings.statementTimeoutMs)),
      ...(this.#readOnly && { default_transaction_read_only: 'on' }),
    }
  }

  #sessionSettings(): SessionSettings {
    const { preparedStatements, statementTimeoutMs, connectTimeoutMs } = this.settings
    const grace = this.pooled ? 0 : guardGraceMs
    const embedded = this.#stream !== undefined
    return {
      preparedStatements,
      guardMs: embedded || statementTimeoutMs === 0 ? 0 : statementTimeoutMs + grace,
      graceMs: guardGraceMs,
      named: () => this.#named,
      namesFailed: () => this.#foundPooler(),
      cancel: embedded ? undefined : (client) => sendCancelRequest(client, connectTimeoutMs),
      wake: this.wake,
    }
  }
}

function toVersionNumber(client: RawClient): number {
  const [major = 0, minor = 0] = client.serverVersionText.split('.').map((part) => Number.parseInt(part, 10))
  return major * 10_000 + minor
}

function unreachable(settings: PostgresSettings, cause: ServerError): PlimsollError {
  return new PlimsollError(
    'PLIMSOLL_DATABASE_UNREACHABLE',
    `Cannot connect to ${settings.shownUrl}: ${cause.message || cause.code || 'no reason given'}.`,
    { cause, details: { url: settings.shownUrl, reason: cause.code } },
  )
}

function ignore(): void {}
