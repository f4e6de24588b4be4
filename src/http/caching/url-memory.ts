import { LRUCache } from 'lru-cache'
import type { FastifyRequest } from 'fastify'

const maxUrls = 1000
/** Longer ones are worked out each time, so that what is kept stays small. */
const maxLength = 500

/**
 * What the URLs that are asked for most come to, so that they need not be parsed again. For resources whose answers the URL
 * alone decides.
 */
export class UrlMemory<T extends object> {
  readonly #known = new LRUCache<string, T>({ max: maxUrls })
  readonly #parameters: readonly string[]

  /** `parameters` are the names of the path's. */
  constructor(parameters: readonly string[]) {
    this.#parameters = parameters
  }

  find(request: FastifyRequest): T | undefined {
    return this.#known.get(this.#keyOf(request))
  }

  keep(request: FastifyRequest, value: T): void {
    const key = this.#keyOf(request)
    if (key.length <= maxLength) this.#known.set(key, value)
  }

  /** A hook may have put another value into the place of a parameter, such as one's own id for `me`. */
  #keyOf({ url, params }: FastifyRequest): string {
    let key = url
    for (const name of this.#parameters) key += `\n${(params as Record<string, string>)[name]}`
    return key
  }
}
