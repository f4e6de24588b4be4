import { backoffMs } from '../../../core/backoff.ts'
import { connectTimeoutMs, openConnection } from './connection.ts'
import type { Address } from './parse-source.ts'
import { isNoCluster } from './redis-errors.ts'
import { RedisNode, type NodeListener, type NodeSettings } from './redis-node.ts'
import { noCluster } from './server-info.ts'
import { slotOf } from './slot.ts'
import type { Topology } from './topology.ts'

/** One row of `CLUSTER SLOTS`: the first and the last slot, then the master and its replicas as host, port, … */
type SlotRange = readonly [from: number, to: number, master: readonly [host: string | null, port: number, ...unknown[]]]

const lookAgainMs = 5000
const soon = { firstMs: 100, mostMs: 2000 }

/**
 * The masters of a cluster and the slots of each. It is read from the cluster again every five seconds, when a server says
 * that a slot has moved, and more often while a server cannot be reached. Replicas are not used: what they have may be old.
 */
export class ClusterTopology implements Topology {
  readonly #seeds: readonly Address[]
  readonly #settings: NodeSettings
  readonly #listener: NodeListener
  readonly #nodes = new Map<string, RedisNode>()
  #owners: (RedisNode | undefined)[] = []
  #refreshing: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #failures = 0
  #closed = false

  constructor(seeds: readonly Address[], settings: NodeSettings, listener: NodeListener) {
    this.#seeds = seeds
    this.#settings = settings
    this.#listener = listener
  }

  get nodes(): ReadonlyMap<string, RedisNode> {
    return this.#nodes
  }

  slotOf(key: string): number {
    return slotOf(key)
  }

  nodeOf(slot: number): RedisNode | undefined {
    return this.#owners[slot]
  }

  async open(): Promise<unknown> {
    let failure: unknown
    try {
      this.#apply(await this.#askSeeds({ waits: true }))
      await Promise.all(this.#list().map((node) => node.breaker.attempt()))
      failure = this.#list().find(({ breaker }) => breaker.state === 'down')?.breaker.cause
    } catch (error) {
      failure = error
    }
    this.#lookAgain()
    return failure
  }

  refresh(): Promise<void> {
    this.#refreshing ??= this.#read()
      .then((ranges) => this.#apply(ranges))
      .finally(() => {
        this.#refreshing = undefined
      })
    return this.#refreshing
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
    for (const node of this.#list()) node.close()
  }

  #list(): RedisNode[] {
    return [...this.#nodes.values()]
  }

  #lookAgain(): void {
    if (this.#closed) return
    const settled = this.#nodes.size > 0 && this.#list().every(({ breaker }) => breaker.state === 'up')
    this.#failures = settled ? 0 : this.#failures + 1
    const delay = settled ? lookAgainMs : backoffMs(this.#failures, soon)
    const look = (): void => {
      const again = (): void => this.#lookAgain()
      this.refresh().then(again, again)
    }
    this.#timer = setTimeout(look, delay).unref()
  }

  async #read(): Promise<{ ranges: readonly SlotRange[]; from: Address }> {
    for (const node of this.#list()) {
      if (node.breaker.state === 'down') continue
      try {
        const ranges = await node.run((client) => client.cluster('SLOTS'))
        return { ranges: ranges as unknown as SlotRange[], from: node.address }
      } catch {
        // Another may know.
      }
    }
    return this.#askSeeds({ waits: false })
  }

  /** `waits`: somebody does, so that the process stays alive meanwhile. */
  async #askSeeds({ waits }: { readonly waits: boolean }): Promise<{ ranges: readonly SlotRange[]; from: Address }> {
    let failure: unknown
    for (const from of [...this.#seeds, ...this.#list().map(({ address }) => address)]) {
      const end = new AbortController()
      const giveUp = setTimeout(() => end.abort(), connectTimeoutMs)
      if (!waits) giveUp.unref()
      try {
        const client = await openConnection(from, this.#settings, end)
        return { ranges: (await client.cluster('SLOTS')) as unknown as SlotRange[], from }
      } catch (error) {
        failure = isNoCluster(error) ? noCluster(`${from.host}:${from.port}`) : error
      } finally {
        clearTimeout(giveUp)
        end.abort()
      }
    }
    throw failure
  }

  #apply({ ranges, from }: { readonly ranges: readonly SlotRange[]; readonly from: Address }): void {
    if (this.#closed) return
    const before = this.#owners
    const owners: (RedisNode | undefined)[] = []
    const used = new Set<RedisNode>()
    for (const [first, last, [host, port]] of ranges) {
      // A server that does not know its own name has the one it was asked under.
      const node = this.#nodeAt({ host: host === null || host === '' ? from.host : host, port })
      used.add(node)
      for (let slot = first; slot <= last; slot++) owners[slot] = node
    }
    this.#owners = owners
    if (before.length > 0) this.#handOver(before, owners)
    for (const [name, node] of this.#nodes) {
      if (used.has(node)) continue
      this.#nodes.delete(name)
      node.close()
    }
  }

  #nodeAt(address: Address): RedisNode {
    const name = `${address.host}:${address.port}`
    let node = this.#nodes.get(name)
    if (node === undefined) {
      node = new RedisNode(address, this.#settings, this.#listener)
      this.#nodes.set(name, node)
      void node.breaker.attempt()
    }
    return node
  }

  /** What local copies know of slots that have moved is worth nothing. */
  #handOver(before: readonly (RedisNode | undefined)[], owners: readonly (RedisNode | undefined)[]): void {
    const heirs = new Set<RedisNode>()
    let moved = false
    for (let slot = 0; slot < Math.max(before.length, owners.length); slot++) {
      const [old, now] = [before[slot], owners[slot]]
      if (old === now) continue
      moved = true
      if (now !== undefined && old?.breaker.state !== 'up') heirs.add(now)
    }
    if (moved) this.#listener.lost()
    // What could not be bumped where the slots were is bumped where they are now, before anybody reads it there.
    for (const { breaker } of heirs) breaker.trip(new Error('It took slots of a server that could not be reached.'))
  }
}
