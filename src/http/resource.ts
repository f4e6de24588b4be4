import type { FastifyInstance, FastifyRequest, RouteShorthandOptions } from 'fastify'
import { PlimsollError } from '../core/errors.ts'
import { dynamic, type AnyQuerySet } from '../db/dynamic.ts'
import { cacheHeaders, keepCookiesPrivate } from './caching/cache-headers.ts'
import { cachedHandler, type Caching } from './caching/cached-handler.ts'
import { detailPath, detailReader, type DetailPath } from './detail-reader.ts'
import { listReader } from './list-reader.ts'
import { liveHandler } from './live-handler.ts'
import { checkPath } from './path-parameters.ts'
import { problemHandler } from './problem.ts'
import type { Handler, Reader } from './reading.ts'
import type { ResourceChoices, Scope } from './resource-options.ts'
import { defineResource, type ResourceSpec } from './resource-spec.ts'

/** A resource and where it can be reached. */
export interface MountedResource {
  readonly spec: ResourceSpec
  /** The path of the list, with the prefixes of plugins around it. */
  readonly path: string
  /** The path of one row. */
  readonly detail: DetailPath | undefined
}

/** What {@link mountResource} is given beside the path. */
export interface MountOptions {
  readonly queryset: object
  /** Checked when it runs. */
  readonly options: object
  /** Told of errors that are the service's own. */
  readonly onError?: ((error: unknown, request: FastifyRequest) => void) | undefined
  /** Where answers are kept; a resource with the option `cache` needs it. */
  readonly caching?: Caching | undefined
}

/**
 * Adds the routes of a resource. Their errors are answered with problem documents; the error handler of the application is
 * left alone.
 */
export function mountResource(fastify: FastifyInstance, path: string, mount: MountOptions): MountedResource {
  const choices = mount.options as ResourceChoices & { readonly scope?: Scope<AnyQuerySet> }
  checkPath(path)
  // The parameters in the prefix of a plugin select rows like those in the path itself.
  const spec = defineResource(withPrefix(fastify.prefix, path), dynamic(mount.queryset), choices)
  const { shorthand, handlerOf } = servingOf(spec, mount, { scoped: choices.scope !== undefined })
  fastify.get(path, shorthand, handlerOf(listReader(spec, choices.scope), []))
  const detail = detailPath(spec)
  if (detail) {
    const own = detail.path.slice(fastify.prefix.replace(/\/$/, '').length)
    const key = detail.key.map(({ name }) => name)
    fastify.get(own, shorthand, handlerOf(detailReader(spec, detail, choices.scope), key))
  }
  return { spec, path: spec.path, detail }
}

/** A path as Fastify serves it under the prefix of a plugin, where `/` is the prefix itself. */
export function withPrefix(prefix: string, path: string): string {
  const outer = prefix.replace(/\/$/, '')
  return path === '/' && outer !== '' ? outer : outer + path
}

/** How the routes of a resource answer: from the database, or by way of the cache. */
function servingOf(
  spec: ResourceSpec,
  { caching, onError }: MountOptions,
  { scoped }: { readonly scoped: boolean },
): {
  readonly shorthand: RouteShorthandOptions
  /** The handler of one route; `key` are the parameters of its path beside those of the list. */
  readonly handlerOf: (reader: Reader, key: readonly string[]) => Handler
} {
  const errorHandler = problemHandler(onError)
  const { cache: policy } = spec
  if (!policy) return { shorthand: { errorHandler }, handlerOf: (reader) => liveHandler(reader, { scoped }) }
  if (!caching) {
    throw new PlimsollError(
      'PLIMSOLL_OPTION_INVALID',
      `The resource '${spec.path}' has the option 'cache', and there is no cache: register the plugin with one, ` +
        `{ cache: openCache({ store: memoryStore() }) }, or leave the option out.`,
      { details: { option: 'cache' } },
    )
  }
  const headers = cacheHeaders(policy)
  const list = spec.pathParameters.map(({ name }) => name)
  return {
    shorthand: { errorHandler, ...(policy.visibility === 'private' ? {} : { onSend: keepCookiesPrivate(headers) }) },
    handlerOf: (reader, key) =>
      cachedHandler(reader, { ...caching, policy, headers, scoped, parameters: [...list, ...key] }),
  }
}
