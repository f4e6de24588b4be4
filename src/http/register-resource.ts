import type { FastifyInstance } from 'fastify'
import type { AnyLoaded } from '../db/types/row.ts'
import type { Models } from '../db/types/model.ts'
import type { QuerySet } from '../db/types/queryset.ts'
import type { ResourceOptions } from './resource-options.ts'
import { mountResource } from './resource.ts'

/**
 * Adds a resource to any instance of Fastify, without the plugin and so without an API description.
 *
 * @throws PLIMSOLL_FIELD_UNKNOWN, PLIMSOLL_RELATION_UNKNOWN, PLIMSOLL_OPTION_INVALID
 * @example registerResource(fastify, '/posts', db.posts, { fields: ['id', 'title'] })
 */
export function registerResource<
  T extends keyof S & string,
  L extends AnyLoaded,
  S extends Models,
  const Fields extends readonly string[],
  const Filters extends readonly string[] = readonly [],
  const Orders extends readonly string[] = readonly [],
>(
  fastify: FastifyInstance,
  ...[path, queryset, options]: [
    path: string,
    queryset: QuerySet<T, L, S>,
    options: ResourceOptions<T, S, Fields, Filters, Orders>,
  ]
): void {
  mountResource(fastify, path, { queryset, options })
}
