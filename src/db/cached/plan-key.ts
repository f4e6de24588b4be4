import { hash } from 'node:crypto'
import type { WireValue } from '../../core/wire.ts'
import type { CompiledQuery } from '../compile/compiled-query.ts'
import type { CompiledStatement } from '../compile/compile-count.ts'
import { memoizeByObject } from '../memoize.ts'

/** What tells the plans of one kind apart: everything that decides which bytes come back, besides the values. */
export type Plan = CompiledQuery | CompiledStatement

/**
 * The key of an answer: the same in every process for the same statements and values on the same database, so that the same bytes come
 * back. `kind` says what else decides the answer: which page of it, whether with a total.
 */
export function answerKey(
  plan: Plan,
  kind: string,
  { values, database = '' }: { readonly values: readonly WireValue[]; readonly database?: string | undefined },
): string {
  return `q:${hash('sha256', `${database}\n${identityOf(plan)}\n${kind}\n${writeValue(values)}`, 'base64url')}`
}

/** The part of the key that is the same for all values, made once per plan. */
const identityOf: (plan: Plan) => string = memoizeByObject((plan) => hash('sha256', describe(plan), 'base64url'))

/**
 * The texts of all statements, and where each takes its parameters from. What the rows become is left out on purpose: rows are
 * kept as the database sent them, and made into values or JSON by whoever reads them.
 */
function describe(plan: Plan): string {
  const sources = plan.sources.map((source) => {
    if (source.from === 'constant') return `=${writeValue(source.value)}`
    return source.from === 'values' ? `$${source.slot}` : `+${source.index}`
  })
  const prefetches = 'prefetches' in plan ? plan.prefetches : []
  const children = prefetches.map(({ query, strategy, parentKeySlots, childKeySlots }) => {
    return `${strategy} ${parentKeySlots.join()} ${childKeySlots.join()} ${describe(query)}`
  })
  return JSON.stringify([plan.statement.text, sources, children])
}

/** A value as a text that no other value has. */
export function writeValue(value: WireValue): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value)
    case 'bigint':
      return `${value}n`
    case 'object':
      if (value === null) return 'null'
      if (Buffer.isBuffer(value)) return `x${value.toString('hex')}`
      return `[${value.map(writeValue).join()}]`
    default:
      return String(value)
  }
}
