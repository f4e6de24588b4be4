import type { Run } from '../../../core/breaker.ts'
import { isPlimsollError, type PlimsollError } from '../../../core/errors.ts'
import type { Exchange } from './meta-connection.ts'
import { createKetama } from './ketama.ts'
import { MemcachedServer, toServerName } from './memcached-server.ts'
import type { MemcachedSettings } from './options.ts'

/** A way to a server that is not open to everybody yet. */
export interface Way {
  readonly server: MemcachedServer
  readonly run: Run
}

/** What one server has of a question: the positions of its keys and of its tags, and how to ask it. */
export interface ServerShare {
  readonly keysAt: readonly number[]
  readonly tagsAt: readonly number[]
  readonly exchange: Exchange
}

/** A server that could not be reached, and what it would have had to do. */
export interface ShareFailure extends Pick<ServerShare, 'keysAt' | 'tagsAt'> {
  readonly server: MemcachedServer
  readonly error: PlimsollError
}

/** The servers of a store, and which of them has what. */
export class ServerMap {
  readonly #servers: readonly MemcachedServer[]
  readonly #ownerOf: (name: string) => number

  /** `rejoin` is called when an outage of a server is over, with the way to it. */
  constructor(settings: Pick<MemcachedSettings, 'servers' | 'timeoutMs'>, rejoin: (way: Way) => Promise<void>) {
    const { servers, timeoutMs } = settings
    this.#servers = servers.map(({ host, port }) => {
      const server: MemcachedServer = new MemcachedServer({
        host,
        port,
        timeoutMs,
        rejoin: (run) => rejoin({ server, run }),
      })
      return server
    })
    this.#ownerOf = createKetama(servers.map(({ host, port, weight }) => ({ name: toServerName(host, port), weight })))
  }

  /** Connects to all, in the background. */
  open(): void {
    for (const server of this.#servers) void server.open()
  }

  async close(): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.close()))
  }

  /** The server of a key or a tag. */
  serverOf(name: string): MemcachedServer {
    return this.#servers[this.#ownerOf(name)]!
  }

  /**
   * Gives every server its share of the work, all at once. Resolves with those that could not be reached; rejects with any
   * other error, when all have ended.
   */
  async spread(
    { keys = [], tags = [] }: { readonly keys?: readonly string[]; readonly tags?: readonly string[] },
    work: (share: ServerShare) => Promise<void>,
    way?: Way,
  ): Promise<ShareFailure[]> {
    const failures: ShareFailure[] = []
    let other: { error: unknown } | undefined
    const ask = async (
      server: MemcachedServer,
      keysAt: readonly number[],
      tagsAt: readonly number[],
    ): Promise<void> => {
      const run = way?.server === server ? way.run : server.run
      try {
        await run(() => work({ keysAt, tagsAt, exchange: server.exchange }))
      } catch (error) {
        if (!isPlimsollError(error, 'PLIMSOLL_CACHE_UNREACHABLE')) other = { error }
        else failures.push({ keysAt, tagsAt, server, error })
      }
    }
    const [keysOf, tagsOf] = [this.#positions(keys), this.#positions(tags)]
    const asked: Promise<void>[] = []
    for (let index = 0; index < this.#servers.length; index++) {
      const [keysAt, tagsAt] = [keysOf[index]!, tagsOf[index]!]
      if (keysAt.length + tagsAt.length > 0) asked.push(ask(this.#servers[index]!, keysAt, tagsAt))
    }
    if (asked.length === 1) await asked[0]
    else await Promise.all(asked)
    if (other !== undefined) throw other.error
    return failures
  }

  #positions(names: readonly string[]): number[][] {
    const positions: number[][] = this.#servers.map(() => [])
    for (let at = 0; at < names.length; at++) positions[this.#ownerOf(names[at]!)]!.push(at)
    return positions
  }
}
