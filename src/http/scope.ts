import type { FastifyRequest } from 'fastify'
import { isPlimsollError, PlimsollError } from '../core/errors.ts'
import { modelOf, type AnyQuerySet } from '../db/dynamic.ts'
import { DynamicQuerySet } from '../db/dynamic-queryset.ts'
import type { QuerySpec } from '../db/spec.ts'
import type { Scope } from './resource-options.ts'

/**
 * The rows of `queryset` that `scope` lets a request see. What the scope throws to refuse, such as an error with
 * `statusCode` 403, is thrown on.
 *
 * @throws PLIMSOLL_QUERY_INVALID when it returns anything but the queryset it was given, narrowed, or makes a mistake of
 *   its own: then nothing may be shown, and the client is not to blame.
 */
export function applyScope(scope: Scope<AnyQuerySet>, request: FastifyRequest, queryset: AnyQuerySet): AnyQuerySet {
  const scoped = callScope(scope, request, queryset)
  const complaint = complaintOf(queryset, scoped)
  if (complaint === undefined) return scoped as AnyQuerySet
  throw new PlimsollError(
    'PLIMSOLL_QUERY_INVALID',
    `The scope of a resource of '${modelOf(queryset).key}' ${complaint}. It returns the queryset it was given, narrowed: ` +
      `scope: (request, rows) => rows.filter({ … }).`,
  )
}

function callScope(scope: Scope<AnyQuerySet>, request: FastifyRequest, queryset: AnyQuerySet): unknown {
  try {
    return scope(request, queryset)
  } catch (error) {
    if (!isPlimsollError(error) || error.status >= 500) throw error
    // A field or value that the client never named: the message would tell it about the schema, and blame it.
    throw new PlimsollError(
      'PLIMSOLL_QUERY_INVALID',
      `The scope of a resource of '${modelOf(queryset).key}' made a mistake: ${error.message} ` +
        `To refuse a request, throw an error with a statusCode, such as 403.`,
      { cause: error },
    )
  }
}

/** What is wrong with what a scope returned: it must come from the queryset it was given by steps that only take rows away. */
function complaintOf(given: AnyQuerySet, scoped: unknown): string | undefined {
  if (scoped instanceof Promise) {
    // Nobody waits for it, and a rejection that nobody hears would end the process.
    scoped.catch(() => {})
    return 'is async, and awaiting a queryset runs it: find out who asks in a hook'
  }
  if (!(scoped instanceof DynamicQuerySet)) return `returned ${scoped === undefined ? 'nothing' : 'no queryset'}`
  if (modelOf(scoped) !== modelOf(given)) return `returned a queryset of '${modelOf(scoped).key}'`
  if (scoped.context.tree !== given.context.tree) return 'returned a queryset of another database or transaction'
  const [before, after] = [given.shape.spec, scoped.shape.spec]
  // Steps copy what they leave alone, so that what was not changed is the same object.
  const changed = (Object.keys(after) as (keyof QuerySpec)[]).filter((part) => after[part] !== before[part])
  const other = changed.find((part) => part !== 'conditions')
  if (other !== undefined) return `returned another queryset, or changed more than which rows there are (its ${other})`
  const begins = <T>(all: readonly T[], first: readonly T[]): boolean => first.every((item, at) => all[at] === item)
  if (!begins(after.conditions, before.conditions) || !begins(scoped.bound, given.bound))
    return 'returned another queryset, without the filters of the request'
  return undefined
}
