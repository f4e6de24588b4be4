import { setTimeout as sleep } from 'node:timers/promises'
import { parseDuration } from '../../core/duration.ts'
import type { ReplicaOptions, Replicas, WalPosition } from '../contract.ts'
import type { PrimaryPosition } from './primary-position.ts'
import type { Replica } from './replica.ts'
import { replicaExecutor, type Primary } from './replica-executor.ts'

// A replica that takes longer is used once it is there.
const startWaitMs = 1000

/** All replicas of a door. */
export class ReplicaSet {
  readonly primary: PrimaryPosition
  readonly #replicas: readonly Replica[]
  #turn = 0

  constructor(replicas: readonly Replica[], primary: PrimaryPosition) {
    this.#replicas = replicas
    this.primary = primary
  }

  /** Opens the sessions. A replica that is not there does not keep the start from going on. */
  async start(): Promise<void> {
    const started = Promise.all([this.primary.identify(), ...this.#replicas.map((replica) => replica.start())])
    await Promise.race([started, sleep(startWaitMs, undefined, { ref: false })])
  }

  /** The least-loaded replica that a read may be sent to, each in turn when none has anything to do. */
  choose(wanted: WalPosition | undefined): Replica | undefined {
    if (wanted !== undefined && this.primary.system === undefined) void this.primary.identify()
    const now = performance.now()
    const count = this.#replicas.length
    const first = this.#turn++ % count
    let best: Replica | undefined
    for (let i = 0; i < count; i++) {
      const replica = this.#replicas[(first + i) % count]!
      if (replica.usable(wanted, now) && (best === undefined || replica.load < best.load)) best = replica
    }
    return best
  }

  /** What the door offers to its users; `door` takes what no replica can. */
  serve(door: Primary): Replicas {
    return Object.freeze<Replicas>({
      behind: ({ maxLag }: ReplicaOptions = {}) => {
        const ms = maxLag === undefined ? undefined : parseDuration(maxLag, 'maxLag')
        return replicaExecutor(this, door, () => (ms === undefined ? undefined : this.primary.since(ms)))
      },
      atLeast: (position) => replicaExecutor(this, door, () => position),
      position: () => this.primary.position(),
      committed: () => this.primary.committed(),
    })
  }

  tick(now: number): boolean {
    return this.#replicas.map((replica) => replica.tick(now)).includes(true)
  }

  cut(): void {
    for (const replica of this.#replicas) replica.cut()
  }

  async close(): Promise<void> {
    await Promise.all(this.#replicas.map((replica) => replica.close()))
  }
}
