import { PlimsollError, showValue } from '../core/errors.ts'
import { redactUrl } from '../core/redact.ts'
import { backoffMs } from '../core/backoff.ts'
import { Clock } from './pool/clock.ts'
import type { Postgres } from './contract.ts'
import { PostgresDoor } from './postgres-door.ts'
import { ExclusivePool } from './pool/exclusive-pool.ts'
import { ExclusiveTurns } from './pool/exclusive-turns.ts'
import { Listener, sharedSession } from './listen/listener.ts'
import { ownSession } from './listen/own-session.ts'
import { parsePostgresOptions, type PostgresOptions, type PostgresSettings } from './options.ts'
import { openPglite } from './pglite/open-pglite.ts'
import { SessionOpener } from './session/session-opener.ts'
import { SharedSessions } from './pool/shared-sessions.ts'
import { createReplicas, parseReplicaOptions } from './replicas/create-replicas.ts'

const retry = { firstMs: 100, mostMs: 2000 }

// Waiting helps with none of these: wrong password, wrong role, no such database, wrong start-up parameter, or a
// certificate that is not trusted; nor with a password that is missing, or a server without TLS.
const hopelessCode = /^(?:28|3D|08P01|0A|42|ERR_TLS_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_)/
const hopelessMessage = /does not support SSL|client password must be a (?:non-empty )?string/

/**
 * Opens the door to a database: `postgres://…`, `pglite:PATH` or `pglite:memory`. Waits up to `startupTimeout` (default
 * 30s) for a server that cannot be reached yet, and says so through `onWaiting`; a read replica that cannot is used once it is there.
 *
 * @throws PLIMSOLL_OPTION_INVALID, PLIMSOLL_PEER_MISSING, PLIMSOLL_DATABASE_UNREACHABLE, PLIMSOLL_DATABASE_LOCKED (PGlite)
 * @example
 * const postgres = await openPostgres({ url: 'pglite:memory' })
 * await postgres.execute(createStatement('select 1'), [], (chunk, start, end) => { … })
 */
export async function openPostgres(options: PostgresOptions): Promise<Postgres> {
  const settings = parsePostgresOptions(options)
  const replicas = parseReplicaOptions(options)
  if (/^postgres(?:ql)?:\/\//.test(settings.url)) return openServer(settings, replicas)
  if (settings.url.startsWith('pglite:')) return openEmbedded(settings)
  throw new PlimsollError(
    'PLIMSOLL_OPTION_INVALID',
    `The database URL is ${showValue(redactUrl(settings.url))}; give postgres://…, pglite:PATH or pglite:memory.`,
    { details: { option: 'url' } },
  )
}

async function openServer(settings: PostgresSettings, replicaSettings: readonly PostgresSettings[]): Promise<Postgres> {
  const clock = new Clock((now) => {
    const busy = [shared.tick(now), exclusive.tick(now), listener.tick(now), replicas?.tick(now)]
    return busy.includes(true)
  })
  const opener = new SessionOpener(settings, { wake: clock.wake })
  const shared = new SharedSessions(opener)
  const exclusive = new ExclusivePool(opener)
  const listener = new Listener(ownSession(opener))
  const replicas = createReplicas(replicaSettings, { primary: shared, wake: clock.wake })
  await startWaiting(shared, settings)
  shared.fill()
  await replicas?.start()
  return new PostgresDoor({
    engine: 'postgres',
    oneSession: false,
    opener,
    shared,
    exclusive,
    listener,
    clock,
    replicas,
  })
}

async function openEmbedded(settings: PostgresSettings): Promise<Postgres> {
  const engine = await openPglite(settings.url)
  const clock = new Clock((now) => shared.tick(now))
  const one = { ...settings, sharedConnections: 1, maxSharedConnections: 1, maxPipelineDepth: 10_000 }
  const opener = new SessionOpener(one, { wake: clock.wake, stream: () => engine.stream() })
  const shared: SharedSessions = new SharedSessions(opener, (channel, payload) => listener.deliver(channel, payload))
  const listener = new Listener(sharedSession(shared))
  const exclusive = new ExclusiveTurns(shared, settings.transactionWaitMs)
  try {
    await shared.start()
  } catch (error) {
    await engine.close()
    throw error
  }
  return new PostgresDoor({
    engine: 'pglite',
    oneSession: true,
    opener,
    shared,
    exclusive,
    listener,
    clock,
    closeEngine: engine.close,
  })
}

async function startWaiting(shared: SharedSessions, settings: PostgresSettings): Promise<void> {
  const began = performance.now()
  let saidAt = Number.NEGATIVE_INFINITY
  for (let attempt = 1; ; attempt++) {
    try {
      return await shared.start()
    } catch (error) {
      const waited = performance.now() - began
      const { details, message } = error as PlimsollError
      const hopeless = hopelessCode.test(String(details.reason ?? '')) || hopelessMessage.test(message)
      if (hopeless || waited >= settings.startupTimeoutMs) throw error
      if (performance.now() - saidAt > 5000) {
        saidAt = performance.now()
        const limit = Math.round(settings.startupTimeoutMs / 1000)
        settings.onWaiting(`Waiting up to ${limit} s for the database. ${(error as Error).message}`)
      }
      const delay = Math.min(backoffMs(attempt, retry), settings.startupTimeoutMs - waited)
      await new Promise((resolve) => setTimeout(resolve, delay))
    }
  }
}
