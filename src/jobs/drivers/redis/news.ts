import { AsyncLocalStorage } from 'node:async_hooks'
import { createClient, type RedisAddress, type RedisClient } from './redis-source.ts'

/** What is heard of jobs. */
export interface NewsReader {
  /** Jobs of a queue may be ready. */
  ready?(queue: string): void
  /** A job will be, after so many milliseconds. */
  delayed?(inMs: number): void
  /** A job that runs was cancelled. */
  cancelled?(id: string): void
  /** A watched job has ended. */
  ended?(id: string): void
  /** A job has come further. */
  changed?(id: string): void
  /** What was said meanwhile was missed. */
  missed?(): void
}

/** Where scripts publish. */
export function newsChannel(prefix: string): string {
  return `${prefix}:news`
}

/** Hears what scripts publish, on a connection of its own, which is made with the first reader. */
export class News {
  readonly #address: RedisAddress
  readonly #channel: string
  readonly #readers = new Set<NewsReader>()
  readonly #outside = AsyncLocalStorage.snapshot()
  #client: Promise<RedisClient> | undefined
  #closed = false

  constructor(address: RedisAddress, prefix: string) {
    this.#address = address
    this.#channel = newsChannel(prefix)
  }

  /** Reads until the returned function is called. */
  read(reader: NewsReader): () => void {
    this.#readers.add(reader)
    this.#client ??= this.#outside(() => this.#open())
    this.#client.catch(() => {
      // What is missed is found by looking.
      this.#client = undefined
    })
    return () => void this.#readers.delete(reader)
  }

  async close(): Promise<void> {
    this.#closed = true
    const client = await this.#client?.catch(() => undefined)
    client?.disconnect()
  }

  async #open(): Promise<RedisClient> {
    const client = await createClient(this.#address, { enableOfflineQueue: true, maxRetriesPerRequest: null })
    client.on('error', () => {})
    client.on('connect', () => {
      const { stream } = client as { stream?: { unref?(): void } }
      stream?.unref?.()
    })
    client.on('message', (_: string, message: string) => this.#hear(message))
    // It subscribes again by itself.
    client.on('ready', () => {
      for (const reader of this.#readers) reader.missed?.()
    })
    if (this.#closed) return client
    try {
      await client.connect()
      await client.subscribe(this.#channel)
    } catch (error) {
      // Another one is made with the next reader; this one would go on connecting for ever, and keep the process.
      client.disconnect()
      throw error
    }
    for (const reader of this.#readers) reader.missed?.()
    return client
  }

  #hear(message: string): void {
    for (const line of message.split('\n')) {
      const what = line.slice(2)
      for (const reader of this.#readers) {
        if (line.startsWith('r')) reader.ready?.(what)
        else if (line.startsWith('d')) reader.delayed?.(Number(what))
        else if (line.startsWith('c')) reader.cancelled?.(what)
        else if (line.startsWith('e')) reader.ended?.(what)
        else if (line.startsWith('p')) reader.changed?.(what)
      }
    }
  }
}
