import { randomUUID } from 'node:crypto'
import type { CacheStore } from '../../contract.ts'
import type { KeyNames } from './key-names.ts'
import { unreachable, type Pass, type Routes } from './routes.ts'
import { weightOf, wholeMs, type ScriptClient } from './scripts.ts'

type Items = Parameters<CacheStore['put']>[0]

/** Replaces and removes entries by hand, and tells other processes which. */
export class Removals {
  readonly #routes: Routes
  readonly #names: KeyNames
  /** Begins our own messages. */
  readonly #self = randomUUID()
  /** Keys to remove from servers of the cluster that were away when they should have been. */
  readonly #late = new Set<string>()

  constructor(routes: Routes, names: KeyNames) {
    this.#routes = routes
    this.#names = names
  }

  /** @throws PLIMSOLL_CACHE_UNREACHABLE whose `details.keys` are those that were not put. */
  async put(items: Items): Promise<void> {
    const failures = new Map<string, unknown>()
    const put = ({ key, bytes, ttlMs }: Items[number]): Promise<void> =>
      this.#change(key, failures, {
        weight: weightOf(bytes),
        work: (client, entry, lease) => client.plimsollPut(entry, lease, bytes, wholeMs(ttlMs)),
      })
    await Promise.all(items.map(put))
    await this.#tell(
      items.map(({ key }) => key),
      failures,
    )
    throwIfAny(failures)
  }

  /**
   * With a `pass`, what is on another server that cannot be reached is removed before that one is used again.
   *
   * @throws PLIMSOLL_CACHE_UNREACHABLE whose `details.keys` are those that were not removed.
   */
  async delete(keys: readonly string[], pass?: Pass): Promise<void> {
    const failures = new Map<string, unknown>()
    // Both at once: nobody may get the lease between, and fill with what he loads now what is removed here.
    const work = (client: ScriptClient, entry: string, lease: string): Promise<unknown> => client.unlink(entry, lease)
    await Promise.all(keys.map((key) => this.#change(key, failures, { pass, work })))
    if (pass !== undefined) {
      for (const key of failures.keys()) {
        if (this.#routes.nodeOf(this.#names.entry(key)) === pass.node) continue
        this.#late.add(key)
        failures.delete(key)
      }
    }
    await this.#tell(keys, failures, pass)
    throwIfAny(failures)
  }

  /** Removes what could not be removed before, through a server that is about to be used again. */
  async catchUp(pass: Pass): Promise<void> {
    const keys = [...this.#late]
    this.#late.clear()
    try {
      await this.delete(keys, pass)
    } catch (error) {
      for (const key of keys) this.#late.add(key)
      throw error
    }
  }

  /** The keys that another process tells of; undefined for our own messages, and for what is none. */
  hear(message: Buffer): readonly string[] | undefined {
    const text = message.toString()
    if (text.startsWith(this.#self)) return undefined
    try {
      const keys: unknown = JSON.parse(text.slice(this.#self.length))
      return Array.isArray(keys) ? (keys as string[]) : undefined
    } catch {
      return undefined
    }
  }

  async #change(
    key: string,
    failures: Map<string, unknown>,
    {
      work,
      ...options
    }: {
      readonly work: (client: ScriptClient, entry: string, lease: string) => Promise<unknown>
      readonly pass?: Pass | undefined
      readonly weight?: number
    },
  ): Promise<void> {
    const [entry, lease] = [this.#names.entry(key), this.#names.lease(key)]
    try {
      await this.#routes.call(entry, (client) => work(client, entry, lease), options)
    } catch (error) {
      failures.set(key, error)
    }
  }

  /** Once it has happened: those who hear of it may read again at once. In a cluster every server passes it on. */
  async #tell(keys: readonly string[], failures: ReadonlyMap<string, unknown>, pass?: Pass): Promise<void> {
    const changed = keys.filter((key) => !failures.has(key))
    if (changed.length === 0) return
    const channel = this.#names.removedChannel
    const message = this.#self + JSON.stringify(changed)
    const publish = (client: ScriptClient): Promise<unknown> => client.publish(channel, message)
    if (pass === undefined) await this.#routes.call(this.#names.entry(changed[0]!), publish)
    else await pass.node.run(publish, pass)
  }
}

function throwIfAny(failures: ReadonlyMap<string, unknown>): void {
  if (failures.size > 0) throw unreachable([...failures.values()][0], { keys: [...failures.keys()] })
}
