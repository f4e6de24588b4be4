import type { FastifyInstance, FastifyRequest } from 'fastify'
import { dynamic, type AnyQuerySet } from '../db/dynamic.ts'
import { detailHandler, detailPath, type DetailPath } from './detail-handler.ts'
import { listHandler } from './list-handler.ts'
import { checkPath } from './path-parameters.ts'
import { problemHandler } from './problem.ts'
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
  const errorHandler = problemHandler(mount.onError)
  fastify.get(path, { errorHandler }, listHandler(spec, choices.scope))
  const detail = detailPath(spec)
  if (detail) {
    const own = detail.path.slice(fastify.prefix.replace(/\/$/, '').length)
    fastify.get(own, { errorHandler }, detailHandler(spec, detail, choices.scope))
  }
  return { spec, path: spec.path, detail }
}

/** A path as Fastify serves it under the prefix of a plugin, where `/` is the prefix itself. */
export function withPrefix(prefix: string, path: string): string {
  const outer = prefix.replace(/\/$/, '')
  return path === '/' && outer !== '' ? outer : outer + path
}
