import type { Address } from './parse-source.ts'
import { RedisNode, type NodeListener, type NodeSettings } from './redis-node.ts'

/** Which server has what. */
export interface Topology {
  /** Every server that has something, by `host:port`. */
  readonly nodes: ReadonlyMap<string, RedisNode>
  /** Keys of one slot may be in one command. */
  slotOf(key: string): number
  /** The server of a slot; undefined when no server is known to have it. */
  nodeOf(slot: number): RedisNode | undefined
  /** Connects, once; what cannot be reached is tried again by itself. Resolves with why the first server cannot be reached. */
  open(): Promise<unknown>
  /** Looks again which server has what. */
  refresh(): Promise<void>
  close(): void
}

/** One server, which has everything. */
export class SingleServer implements Topology {
  readonly nodes: ReadonlyMap<string, RedisNode>
  readonly #node: RedisNode

  constructor(address: Address, settings: NodeSettings, listener: NodeListener) {
    this.#node = new RedisNode(address, settings, listener)
    this.nodes = new Map([[this.#node.name, this.#node]])
  }

  slotOf(): number {
    return 0
  }

  nodeOf(): RedisNode {
    return this.#node
  }

  async open(): Promise<unknown> {
    await this.#node.breaker.attempt()
    return this.#node.breaker.cause
  }

  async refresh(): Promise<void> {}

  close(): void {
    this.#node.close()
  }
}
