import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { parseDuration, type Duration } from '../../core/duration.ts'
import { PlimsollError, showValue } from '../../core/errors.ts'
import type { DirectAccess, FileStore, StoredObject } from '../../files/contract.ts'
import { surrogateHeaders, type SurrogateKeys } from '../caching/surrogate-headers.ts'
import { checkPath } from '../path-parameters.ts'
import { problemHandler, problemOf, sendProblem } from '../problem.ts'
import { withPrefix } from '../resource.ts'
import { isActive, isPassive, sandboxPolicy } from './active-types.ts'
import { answerFile, type FileAnswer } from './answer-file.ts'
import { contentDisposition, type Disposition } from './content-disposition.ts'
import { edgeCheck } from './edge-check.ts'
import { checkPreconditions, requiredTags } from './preconditions.ts'
import { fileTags } from './file-tags.ts'
import { requestKey } from './request-key.ts'

/** What can be downloaded, by whom, and what the answers say. */
export interface DownloadOptions {
  /** Only keys that begin with it, such as `'public/'`, which the addresses leave out. Default: all. */
  readonly prefix?: string | undefined
  /**
   * Whether who asks may have a file. It is asked before the storage is, so that nothing of its answer, nor how long that takes, tells
   * whether there is one. What it throws to refuse, such as an error with `statusCode` 401, is answered. Default: everybody may; with
   * `edgeKey` nobody but the edge.
   */
  readonly authorize?: ((request: FastifyRequest, key: string) => boolean | Promise<boolean>) | undefined
  /**
   * The secret of 16 characters or more that the edges of a CDN send as `X-Edge-Key`. They get every file, as bytes that they may keep, and
   * let in who has a signature: have them ask for one under this path. Everybody else is a matter of `authorize`. Default: none.
   */
  readonly edgeKey?: string | undefined
  /** What is answered to who may not have a file: 404, as if there were none, or 403, whether there is one or not. Default 404. */
  readonly refuse?: 404 | 403 | undefined
  /**
   * What caches may do with an answer. `'immutable'`: keep it for a year, because what is under a key never changes, as with keys that
   * hold a hash. `'revalidate'`: keep it, and ask each time. `'private'`: only the browser may keep it, and has to ask each time.
   * `'no-store'`: nobody may. Or a duration. Default: what was stored with the file, else `'revalidate'`; with `authorize` always
   * `'private'`, but for an edge with the `edgeKey`. After a redirect to Google's storage it is what was stored with the file, and the
   * redirect alone is what nobody else may keep; with `'no-store'` such a file is not redirected to.
   */
  readonly cache?: 'immutable' | 'revalidate' | 'private' | 'no-store' | Duration | undefined
  /** The name that a file is stored under. Default: the last part of its key. It is sanitised. */
  readonly name?: ((file: StoredObject, request: FastifyRequest) => string | Promise<string>) | undefined
  /**
   * Whether browsers show a file or store it. Default: they show images, sound, video and plain texts, and store everything else, and
   * whatever `?download` is asked of. Types that can act, such as HTML, SVG and PDF, are shown in a sandbox when you say `'inline'`.
   */
  readonly disposition?: Disposition | undefined
  /**
   * How bytes come to the client: `'proxy'` through this process, `'redirect'` by a signed address of the storage, which no cache but the
   * browser's keeps. Default: `'redirect'` where the storage has addresses, else `'proxy'`. What a CDN serves, which is all but what
   * `authorize` decides about, is `'proxy'` where there is one: it fetches bytes, to keep them, not addresses.
   */
  readonly deliver?: 'proxy' | 'redirect' | undefined
  /** How long a signed address holds. Default `'5m'`: a download that has begun by then goes on. */
  readonly expires?: Duration | undefined
  /**
   * The origin of pages elsewhere whose scripts may read the files, cookies and all, such as `'https://www.example.com'` for a player that
   * fetches segments of a CDN; or `'*'` for all pages, without cookies. One for all answers, so that caches keep one copy. Default: none.
   */
  readonly allowOrigin?: string | undefined
}

/** What {@link mountDownloads} is given beside the options. */
export interface DownloadMountOptions {
  readonly store: FileStore
  readonly surrogateKeys: SurrogateKeys | false
  /** Whether a CDN stands before the service. */
  readonly behindCdn: boolean
  /** Told of errors that are the service's own. */
  readonly onError?: ((error: unknown, request: FastifyRequest) => void) | undefined
}

/** How one kind of clients is answered. */
interface Way {
  /** Signed addresses to redirect to; undefined where bytes are sent. */
  readonly direct: DirectAccess | undefined
  /** What caches may do with the answer, as a header says it. */
  readonly cacheControlOf: (object: StoredObject) => string
}

/** A file that somebody may have. */
interface Asked {
  readonly key: string
  readonly way: Way
}

interface DescribedFile extends FileAnswer {
  readonly cacheControl: string
  readonly disposition: string
}

const yearSeconds = 31_536_000
/** Types of files that name others beside them: HLS, DASH, and indexes of small pictures. */
const namesOthers = /^(?:application\/(?:vnd\.apple\.mpegurl|dash\+xml)|audio\/(?:x-)?mpegurl|text\/vtt)(?:;|$)/i

/**
 * Adds `GET` and `HEAD` of the files of a store, at `path/KEY`. Resolves nothing that is not a plain key; to who may not have a file,
 * it is as if there were none.
 *
 * @returns the path of the route, with the prefixes of plugins around it
 * @throws PLIMSOLL_OPTION_INVALID
 */
export function mountDownloads(
  fastify: FastifyInstance,
  path: string,
  { options, mount }: { readonly options: DownloadOptions; readonly mount: DownloadMountOptions },
): string {
  checkPath(path)
  if (path.includes(':'))
    throw invalid('path', `The path of downloads is such as '/files', without parameters, not '${path}'.`)
  const own = path.replace(/\/$/, '')
  const { prefix = '', authorize, refuse = 404 } = options
  const { store, surrogateKeys, behindCdn, onError } = mount
  if (refuse !== 404 && refuse !== 403) throw invalid('refuse', `refuse is ${showValue(refuse)}; it can be 404 or 403.`)
  const isEdge = options.edgeKey === undefined ? undefined : edgeCheck(options.edgeKey)
  const readers = toReaders(options.allowOrigin)
  const { expires = '5m' } = options
  const expiresMs = parseDuration(expires, 'expires')
  const forCdn = behindCdn && authorize === undefined
  const redirects =
    options.deliver === 'redirect' ||
    (options.deliver === undefined && !forCdn && store.features.localPath === undefined)
  const clients: Way = { direct: redirects ? store.direct : undefined, cacheControlOf: toCacheControl(options) }
  const edges: Way = { direct: undefined, cacheControlOf: toCacheControl({ cache: options.cache }) }
  if (options.deliver === 'redirect' && clients.direct === undefined) {
    throw invalid('deliver', "The storage has no signed addresses to redirect to; leave 'deliver' out, or say 'proxy'.")
  }
  const notFound = (reply: FastifyReply): FastifyReply => sendProblem(reply, problemOf(404, 'There is no such file.'))

  function dispositionOf(request: FastifyRequest, type: string, { direct }: Way): Disposition {
    // Only we can send what has a browser sandbox a file; a storage cannot.
    if (Object.hasOwn(request.query as object, 'download') || (direct !== undefined && isActive(type)))
      return 'attachment'
    return options.disposition ?? (isPassive(type) ? 'inline' : 'attachment')
  }

  async function describe(object: StoredObject, request: FastifyRequest, way: Way): Promise<DescribedFile> {
    const name = (await options.name?.(object, request)) ?? object.key.slice(object.key.lastIndexOf('/') + 1)
    const disposition = contentDisposition(dispositionOf(request, object.type, way), name)
    const cacheControl = way.cacheControlOf(object)
    const shared = cacheControl.startsWith('public')
    const headers = {
      'cache-control': cacheControl,
      'content-disposition': disposition,
      ...readers,
      ...(isActive(object.type) ? { 'content-security-policy': sandboxPolicy } : {}),
      ...(shared && surrogateKeys !== false ? surrogateHeaders(fileTags(object.key), surrogateKeys) : {}),
    }
    return { object, type: object.type, headers, cacheControl, disposition }
  }

  function proxy(request: FastifyRequest, reply: FastifyReply, { key, way }: Asked): Promise<boolean> {
    return answerFile(request, reply, { store, key, describe: (object) => describe(object, request, way) })
  }

  async function redirect(
    request: FastifyRequest,
    reply: FastifyReply,
    { direct, ...asked }: Asked & { readonly direct: DirectAccess },
  ): Promise<boolean> {
    const { key, way } = asked
    const object = await store.head(key)
    if (object === undefined) return false
    const { headers, cacheControl, disposition } = await describe(object, request, way)
    // The storage answers the rest; but a client that has the file already need not go there.
    if (checkPreconditions(request.headers, object) === 304) {
      reply.headers(headers).header('etag', object.etag).code(304).send()
      return true
    }
    // An address is signed for GET; and a HEAD costs nothing more here.
    if (namesOthers.test(object.type) || request.method === 'HEAD') return proxy(request, reply, asked)
    // It would take what we have said of the file for something else: send all of it for a part, or nothing.
    const { isForeignTag } = direct
    if (isForeignTag !== undefined && requiredTags(request.headers).some(isForeignTag))
      return proxy(request, reply, asked)
    const kept = direct.keepsCacheControl === true
    // A storage that says what was stored would have caches keep what none at all may. What is private it may call public: caches keep it
    // under the whole address, which holds for minutes, and which only the client was told, by an answer that nobody keeps.
    const stored = object.cacheControl ?? 'private'
    if (kept && /\bno-store\b/.test(cacheControl) && !/^private|\bno-store\b/.test(stored))
      return proxy(request, reply, asked)
    const url = await direct.signGet(key, { expires, disposition, ...(kept ? {} : { cacheControl }) })
    reply.headers(readers).header('cache-control', redirectControl(cacheControl, expiresMs)).redirect(url, 302)
    return true
  }

  async function mayHave(request: FastifyRequest, key: string): Promise<boolean> {
    return authorize === undefined ? isEdge === undefined : authorize(request, key)
  }

  fastify.route({
    method: ['GET', 'HEAD'],
    url: `${own}/*`,
    exposeHeadRoute: false,
    errorHandler: problemHandler(onError),
    handler: async (request, reply) => {
      const key = requestKey(request, { store, prefix })
      if (key === undefined) return notFound(reply)
      const fromEdge = isEdge?.(request) ?? false
      if (!fromEdge && !(await mayHave(request, key))) {
        return refuse === 404 ? notFound(reply) : sendProblem(reply, problemOf(403, 'This file is not for you.'))
      }
      const way = fromEdge ? edges : clients
      const { direct } = way
      const answered = await (direct === undefined
        ? proxy(request, reply, { key, way })
        : redirect(request, reply, { key, way, direct }))
      return answered ? reply : notFound(reply)
    },
  })
  return withPrefix(fastify.prefix, `${own}/*`)
}

/** What caches may do with the answer for a file, as a header says it. With an `edgeKey` it is the edge that `cache` speaks to. */
function toCacheControl({ cache, authorize, edgeKey }: DownloadOptions): (object: StoredObject) => string {
  if (cache === undefined) {
    // Who may have a file is asked each time, whatever was stored with it.
    if (authorize !== undefined) return () => 'private, no-cache'
    return ({ cacheControl: stored }) => stored ?? 'public, no-cache'
  }
  if (authorize !== undefined && cache !== 'private' && cache !== 'no-store') {
    if (edgeKey !== undefined) return () => 'private, no-cache'
    throw invalid(
      'cache',
      `cache is ${showValue(cache)}, and shared caches would show a file to whom 'authorize' refuses; say 'private' or 'no-store'.`,
    )
  }
  const control =
    cache === 'immutable'
      ? `public, max-age=${yearSeconds}, immutable`
      : cache === 'revalidate'
        ? 'public, no-cache'
        : cache === 'private'
          ? 'private, no-cache'
          : cache === 'no-store'
            ? 'private, no-store'
            : `public, max-age=${Math.floor(parseDuration(cache, 'cache') / 1000)}`
  return () => control
}

/** What has a browser hand answers to scripts of pages elsewhere (https://fetch.spec.whatwg.org/#http-cors-protocol). */
function toReaders(origin: string | undefined): Readonly<Record<string, string>> {
  if (origin === undefined) return {}
  if (origin === '*') return { 'access-control-allow-origin': origin }
  if (URL.canParse(origin) && new URL(origin).origin === origin)
    return { 'access-control-allow-origin': origin, 'access-control-allow-credentials': 'true' }
  throw invalid(
    'allowOrigin',
    `allowOrigin is ${showValue(origin)}; give the origin of a page, such as 'https://www.example.com', without a path, or '*'.`,
  )
}

/**
 * A redirect holds half as long as its address, so that nobody comes too late with one that was kept. Only a browser keeps it: the address
 * lets in whoever has it, and a cache that many share would hand it to all of them.
 */
function redirectControl(control: string, expiresMs: number): string {
  return control.startsWith('public') ? `private, max-age=${Math.floor(expiresMs / 2000)}` : 'private, no-store'
}

function invalid(option: string, message: string): PlimsollError {
  return new PlimsollError('PLIMSOLL_OPTION_INVALID', message, { details: { option } })
}
