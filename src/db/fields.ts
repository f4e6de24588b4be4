import type { DynamicQuerySet } from './dynamic-queryset.ts'
import { columnOf, relationOf, targetOf } from './paths.ts'
import { RefinedPrefetch } from './prefetch.ts'

/**
 * Loads exactly the fields at `paths`, and decides by them how: columns of the model, of to-one relations by JOIN, of to-many
 * relations by prefetch. A level shows no column that no path names.
 *
 * @throws PLIMSOLL_FIELD_UNKNOWN, PLIMSOLL_RELATION_UNKNOWN
 */
export function selectFields(queryset: DynamicQuerySet, paths: readonly string[]): DynamicQuerySet {
  const { graph } = queryset.context
  const columns = new Map<string, Set<string>>([['', new Set()]])
  const children = new Map<string, string[]>()
  for (const path of paths) {
    const names = path.split('.')
    let model = queryset.model
    let level = ''
    for (const [at, name] of names.entries()) {
      if (at === names.length - 1) {
        columns.get(level)!.add(columnOf(model, name, path).key)
        break
      }
      const relation = relationOf(model, name, path)
      level = level === '' ? name : `${level}.${name}`
      if (relation.kind === 'many') {
        const fields = children.get(level) ?? []
        children.set(level, [...fields, names.slice(at + 1).join('.')])
        break
      }
      if (!columns.has(level)) columns.set(level, new Set())
      model = targetOf(graph, relation)
    }
  }
  const joins = [...columns.keys()].filter((level) => level !== '')
  const joined = joins.length > 0 ? queryset.selectRelated(...joins) : queryset
  const prefetches = [...children].map(
    ([path, fields]) => new RefinedPrefetch(path, (rows: DynamicQuerySet) => selectFields(rows, fields), undefined),
  )
  return joined.onlyColumns(columns).prefetchRelated(...prefetches)
}
