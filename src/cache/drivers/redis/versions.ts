import { randomToken } from '../../../core/random-token.ts'
import type { KeyNames } from './key-names.ts'
import { isOutage, isReply, redirectionOf } from './redis-errors.ts'
import type { RedisNode } from './redis-node.ts'
import { mostHops, passOf, unreachable, type Pass, type Routes } from './routes.ts'
import { wholeMs, type ScriptClient } from './scripts.ts'

/** Makes versions, and makes them anew. */
export class Versions {
  readonly #routes: Routes
  readonly #names: KeyNames
  readonly #ttlMs: number

  constructor(routes: Routes, names: KeyNames, ttlMs: number) {
    this.#routes = routes
    this.#names = names
    this.#ttlMs = wholeMs(ttlMs)
  }

  /** Sets those that are missing and reads them all, in one round trip; null for those that cannot be reached. */
  async create(tags: readonly string[]): Promise<(string | null)[]> {
    const versions = new Array<string | null>(tags.length).fill(null)
    const { byNode } = this.#split(tags)
    let failure: unknown
    let reached = tags.length === 0
    const ask = async ([node, places]: [RedisNode, readonly number[]]): Promise<void> => {
      try {
        const values = await node.run((client) =>
          Promise.all(places.map((place) => this.#create(client, tags[place]!))),
        )
        reached = true
        for (const [i, place] of places.entries()) {
          const value = values[i] ?? null
          versions[place] = value === null ? null : value + node.runId
        }
      } catch (error) {
        // A slot has moved, or is moving: what depends on these tags is not cached until it is known where they are.
        if (isReply(error)) void this.#routes.topology.refresh().catch(() => {})
        failure = error
      }
    }
    await Promise.all([...byNode].map(ask))
    if (!reached) throw unreachable(failure)
    return versions
  }

  /**
   * Gives every tag another version. `pass`: through a server that is about to be used again.
   *
   * @throws PLIMSOLL_CACHE_UNREACHABLE whose `details.tags` are those that were not bumped. Their server counts as unreachable
   * from then on, even if it answered: it is not used again before they are.
   */
  async bump(tags: readonly string[], pass?: Pass): Promise<void> {
    const failures = new Map<string, unknown>()
    let left = tags
    for (let hop = 1; left.length > 0; hop++) {
      const { byNode, uncovered } = this.#split(left)
      for (const tag of uncovered) failures.set(tag, undefined)
      const moved: string[] = []
      const send = async ([node, places]: [RedisNode, readonly number[]]): Promise<void> => {
        const own = places.map((place) => left[place]!)
        const answers = await this.#bumpOn(node, own, pass)
        for (const [i, error] of answers.entries()) {
          if (error === undefined) continue
          if (redirectionOf(error)?.kind === 'MOVED' && hop < mostHops) moved.push(own[i]!)
          else failures.set(own[i]!, error)
          if (isReply(error) && failures.has(own[i]!)) node.breaker.trip(error)
        }
      }
      await Promise.all([...byNode].map(send))
      if (moved.length > 0) await this.#routes.topology.refresh().catch(() => {})
      left = moved
    }
    if (failures.size > 0) throw unreachable([...failures.values()][0], { tags: [...failures.keys()] })
  }

  async #create(client: ScriptClient, tag: string): Promise<string | null> {
    const name = this.#names.version(tag)
    const [, version] = await Promise.all([client.set(name, randomToken(), 'PX', this.#ttlMs, 'NX'), client.get(name)])
    return version
  }

  /** Resolves with why each of the tags was not bumped, in their order. */
  async #bumpOn(node: RedisNode, tags: readonly string[], pass: Pass | undefined): Promise<readonly unknown[]> {
    const work = (client: ScriptClient): Promise<readonly unknown[]> =>
      Promise.all(
        tags.map((tag) =>
          this.#set(client, tag).catch((error: unknown) => {
            if (isOutage(error)) throw error
            return redirectionOf(error)?.kind === 'ASK' ? this.#follow(error, tag) : error
          }),
        ),
      )
    return node.run(work, { run: passOf(node, pass) }).catch((error: unknown) => tags.map(() => error))
  }

  async #set(client: ScriptClient, tag: string): Promise<undefined> {
    await client.set(this.#names.version(tag), randomToken(), 'PX', this.#ttlMs)
    return undefined
  }

  /** The slot is moving, and this tag's version has gone ahead, or was not there yet: then it belongs where the slot goes. */
  async #follow(redirection: unknown, tag: string): Promise<unknown> {
    const node = this.#routes.topology.nodes.get(redirectionOf(redirection)!.address)
    if (node === undefined) return redirection
    return node
      .run(async (client) => {
        const asking = client.call('ASKING')
        await Promise.all([asking, this.#set(client, tag)])
        return undefined
      })
      .catch((error: unknown) => error)
  }

  /** The places of tags by their server, and the tags that have none. */
  #split(tags: readonly string[]): {
    readonly byNode: ReadonlyMap<RedisNode, readonly number[]>
    readonly uncovered: readonly string[]
  } {
    const byNode = new Map<RedisNode, number[]>()
    const uncovered: string[] = []
    for (const [place, tag] of tags.entries()) {
      const node = this.#routes.nodeOf(this.#names.version(tag))
      if (node === undefined) {
        uncovered.push(tag)
        continue
      }
      const places = byNode.get(node)
      if (places === undefined) byNode.set(node, [place])
      else places.push(place)
    }
    return { byNode, uncovered }
  }
}
