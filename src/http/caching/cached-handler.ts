import { hash } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Cache } from '../../cache/types.ts'
import { matchesEtag } from '../etag.ts'
import type { Handler, Reader } from '../reading.ts'
import { readAcceptEncoding } from './accept-encoding.ts'
import { answerKey, readToKeep } from './answer-key.ts'
import { addVary, type CacheHeaders } from './cache-headers.ts'
import type { CachePolicy } from './cache-policy.ts'
import { compress, minCompressedLength, type Encoding } from './compress.ts'
import { packAnswer, packedVersion, packVariant, unpackAnswer } from './packed-answer.ts'
import { surrogateHeaders, type SurrogateKeys } from './surrogate-headers.ts'
import { UrlMemory } from './url-memory.ts'

/** The cache of an application, and how a CDN before it learns of tags. */
export interface Caching {
  readonly cache: Cache
  readonly surrogateKeys: SurrogateKeys | false
}

/** What {@link cachedHandler} keeps to. */
export interface CachedOptions extends Caching {
  readonly policy: CachePolicy
  readonly headers: CacheHeaders
  /** True when what it answers depends on who asks, and the URL alone does not decide it. */
  readonly scoped: boolean
  /** The names of the path's parameters. */
  readonly parameters: readonly string[]
}

/** What a request comes to: the key of its answer, and what to say with it. */
interface Place {
  readonly key: string
  /** Whole texts, so that they are hashed once and not for every request. */
  readonly keys: Readonly<Record<Encoding | 'identity', string>>
  /** The headers that name the answer's tags. */
  readonly names: Readonly<Record<string, string>>
  /** False when a shared cache could not be told to drop the answer. */
  readonly shareable: boolean
  /** What was made ready to be sent from a Buffer of the cache; gone with it. */
  readonly ready: WeakMap<Buffer, ReadyAnswer>
}

interface ReadyAnswer {
  readonly etags: Readonly<Record<Encoding | 'identity', string>>
  readonly body: Buffer
  readonly link: string | undefined
}

interface Sending {
  readonly place: Place
  readonly answer: ReadyAnswer
}

const jsonType = 'application/json; charset=utf-8'
const nameless = {}

/**
 * The handler that answers from the cache. For a URL that it has met it looks up two Buffers and sends one of them: the query
 * is not parsed, the database not asked, no row becomes an object.
 *
 * The compressed forms of an answer are entries of their own, under the entity tag of what they were made of: whatever ends
 * the answer ends them, they never outlive it, and an answer that is read anew and has not changed is not compressed again.
 */
export function cachedHandler(
  reader: Reader,
  { cache, policy, headers, surrogateKeys, scoped, parameters }: CachedOptions,
): Handler {
  const urls = scoped ? undefined : new UrlMemory<Place>(parameters)
  const keep = { ttl: policy.ttlMs, stale: policy.staleMs }
  let version: string | undefined

  async function find(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const reading = reader(request)
    reading.check()
    const { key, tags } = answerKey(reading)
    // Pages hold cursors, which another secret does not open.
    version ??= `${packedVersion} ${hash('sha256', reading.rows.context.secret, 'base64url').slice(0, 8)}`
    const known = urls?.find(request)
    const place = known?.key === key ? known : placeOf(key, tags)
    const bytes = await cache.get<Buffer | null>(
      place.keys.identity,
      async ({ signal }) => {
        const answer = await readToKeep(reading, signal)
        // That a row is missing is kept too: creating it ends that.
        return answer === undefined ? null : packAnswer(answer)
      },
      { ...keep, tags, version },
    )
    if (bytes === null) throw reading.missing()
    urls?.keep(request, place)
    const { etag, marks, body } = unpackAnswer(bytes)
    const answer = { etags: etagsOf(etag), body, link: reading.link(marks) }
    place.ready.set(bytes, answer)
    await send(request, reply, { place, answer })
    return reply
  }

  function placeOf(key: string, tags: readonly string[]): Place {
    const names = surrogateKeys ? surrogateHeaders(tags, surrogateKeys) : nameless
    return { key, keys: keysOf(key), names: names ?? nameless, shareable: names !== undefined, ready: new WeakMap() }
  }

  function send(
    request: FastifyRequest,
    reply: FastifyReply,
    { place, answer }: Sending,
  ): Promise<FastifyReply> | undefined {
    const encoding = encodingFor(request, answer.body.length)
    const known = request.headers['if-none-match']
    if (known !== undefined && matchesEtag(known, answer.etags[encoding])) {
      putHeaders(request, reply, { place, answer, encoding })
      reply.code(304).send()
      return undefined
    }
    if (encoding === 'identity') {
      putHeaders(request, reply, { place, answer, encoding })
      reply.header('content-type', jsonType).send(answer.body)
      return undefined
    }
    const bytes = cache.peek<Buffer>(place.keys[encoding])
    const variant = bytes && unpackAnswer(bytes)
    if (variant?.etag !== answer.etags.identity) return sendVariant(request, reply, { place, answer, encoding })
    putHeaders(request, reply, { place, answer, encoding })
    reply.header('content-type', jsonType).header('content-encoding', encoding).send(variant.body)
    return undefined
  }

  /** Sends a compressed form that this process does not hold, and may have to make. */
  async function sendVariant(
    request: FastifyRequest,
    reply: FastifyReply,
    { place, answer, encoding }: Sending & { readonly encoding: Encoding },
  ): Promise<FastifyReply> {
    const source = answer.etags.identity
    const bytes = await cache.get(
      place.keys[encoding],
      async () => packVariant(source, await compress(answer.body, encoding)),
      { ttl: policy.ttlMs + policy.staleMs, version: `${packedVersion} ${source}` },
    )
    putHeaders(request, reply, { place, answer, encoding })
    reply.header('content-type', jsonType).header('content-encoding', encoding)
    return reply.send(unpackAnswer(bytes).body)
  }

  function putHeaders(
    request: FastifyRequest,
    reply: FastifyReply,
    { place, answer, encoding }: Sending & { readonly encoding: Encoding | 'identity' },
  ): void {
    // Rows hold texts of strangers: no browser may take an answer for a page.
    reply.header('etag', answer.etags[encoding]).header('x-content-type-options', 'nosniff')
    addVary(reply, headers.vary)
    if (answer.link !== undefined) reply.header('link', answer.link)
    const own = isOwn(request, policy) || !place.shareable
    // Whoever knows better sets the header in a hook.
    if (!reply.hasHeader('cache-control')) reply.header('cache-control', own ? headers.own : headers.shared)
    if (!own && place.names !== nameless) reply.headers(place.names)
  }

  return (request, reply) => {
    const place = urls?.find(request)
    if (place !== undefined) {
      const bytes = cache.peek<Buffer | null>(place.keys.identity)
      const answer = bytes ? place.ready.get(bytes) : undefined
      if (answer !== undefined) return send(request, reply, { place, answer })
    }
    return find(request, reply)
  }
}

function isOwn({ headers }: FastifyRequest, { visibility }: CachePolicy): boolean {
  if (visibility !== 'auto') return visibility === 'private'
  return headers.authorization !== undefined || headers.cookie !== undefined
}

/** The encoding to answer in. Throws when nothing we have is accepted. */
function encodingFor(request: FastifyRequest, length: number): Encoding | 'identity' {
  const { best, identity } = readAcceptEncoding(request.headers['accept-encoding'])
  if (identity && (best === undefined || length < minCompressedLength)) return 'identity'
  if (best !== undefined) return best
  throw Object.assign(new Error('Accept-Encoding takes neither br, zstd, gzip nor identity.'), { statusCode: 406 })
}

/** `r:` for answers, so that they are counted by themselves, and `z:` for their compressed forms. */
function keysOf(key: string): Place['keys'] {
  return { identity: `r:${key}`, br: `z:${key}:br`, zstd: `z:${key}:zstd`, gzip: `z:${key}:gzip` }
}

/** Each encoding is a representation of its own, with a strong tag of its own (RFC 9110, section 8.8.3.3). */
function etagsOf(etag: string): ReadyAnswer['etags'] {
  const of = (encoding: Encoding): string => `${etag.slice(0, -1)}-${encoding}"`
  return { identity: etag, br: of('br'), zstd: of('zstd'), gzip: of('gzip') }
}
