import type { FastifyRequest } from 'fastify'
import { PlimsollError } from '../core/errors.ts'
import { modelOf, type AnyQuerySet } from '../db/dynamic.ts'
import { DynamicQuerySet } from '../db/dynamic-queryset.ts'
import type { Scope } from './resource-options.ts'

/**
 * The rows of `queryset` that `scope` lets a request see.
 *
 * @throws PLIMSOLL_QUERY_INVALID when it returns anything but a queryset of the same model: then nothing may be shown.
 */
export function applyScope(scope: Scope<AnyQuerySet>, request: FastifyRequest, queryset: AnyQuerySet): AnyQuerySet {
  const scoped: unknown = scope(request, queryset)
  if (scoped instanceof DynamicQuerySet && modelOf(scoped) === modelOf(queryset)) return scoped
  throw new PlimsollError(
    'PLIMSOLL_QUERY_INVALID',
    `The scope of a resource of '${modelOf(queryset).key}' returns the queryset it was given, filtered; it cannot be async.`,
  )
}
