import type { Run } from '../../../core/breaker.ts'
import { errorText } from '../../../core/error-text.ts'
import { isPlimsollError, PlimsollError } from '../../../core/errors.ts'
import { isReply, redirectionOf } from './redis-errors.ts'
import type { RedisNode } from './redis-node.ts'
import type { ScriptClient } from './scripts.ts'
import type { Topology } from './topology.ts'

/** The way into a server that is about to be used again, around its breaker. */
export interface Pass {
  readonly node: RedisNode
  readonly run: Run
}

export interface CallOptions {
  readonly pass?: Pass | undefined
  /** How many time-outs it may take. Default 1. */
  readonly weight?: number | undefined
}

/** How often a command is sent after a slot that moves on. */
export const mostHops = 3

/** Sends commands to the servers that have their keys. */
export class Routes {
  readonly topology: Topology

  constructor(topology: Topology) {
    this.topology = topology
  }

  /** The server of a key; undefined when none is known to have its slot. */
  nodeOf(name: string): RedisNode | undefined {
    return this.topology.nodeOf(this.topology.slotOf(name))
  }

  /**
   * Runs a command on the server that has the key `name`, and on the next one when its slot has moved.
   *
   * @throws PLIMSOLL_CACHE_UNREACHABLE, also when the server refuses the command
   */
  async call<T>(
    name: string,
    work: (client: ScriptClient) => Promise<T>,
    { pass, weight }: CallOptions = {},
  ): Promise<T> {
    for (let hop = 1; ; hop++) {
      const node = this.nodeOf(name)
      if (node === undefined) throw unreachable()
      try {
        return await node.run(work, { run: passOf(node, pass), weight })
      } catch (error) {
        if (redirectionOf(error)?.kind !== 'MOVED' || hop === mostHops) throw unreachable(error)
        await this.topology.refresh().catch(() => {})
      }
    }
  }
}

/** The way past the breaker of `node`, if the pass is for it; the other servers have breakers of their own. */
export function passOf(node: RedisNode, pass: Pass | undefined): Run | undefined {
  return pass?.node === node ? pass.run : undefined
}

/** The error of a command that was not carried out. `cause` is undefined when no server is known to have the key. */
export function unreachable(cause?: unknown, details: Readonly<Record<string, unknown>> = {}): PlimsollError {
  const about = isPlimsollError(cause) ? cause.details : {}
  const message = isPlimsollError(cause)
    ? cause.message
    : isReply(cause)
      ? `Redis refuses: ${errorText(cause)}`
      : 'No server of the cluster is known to have the slot.'
  return new PlimsollError('PLIMSOLL_CACHE_UNREACHABLE', message, { cause, details: { ...about, ...details } })
}
