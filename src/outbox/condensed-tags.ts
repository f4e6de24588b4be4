/** More tags than this are not worth their cost to the cache: the tables' own end all that they end. */
export const mostTags = 1000

/**
 * Tags of writes, where they are too many, as `t` and `t*` of their tables, which end everything that was read of those. The
 * parts of a tag are escaped: `=`, `:` and `.` stand in it as marks only (see `schema/tags/tag-text.ts`).
 */
export function condenseTags(tags: ReadonlySet<string>): Set<string> {
  const condensed = new Set<string>()
  for (const tag of tags) {
    const table = tableOf(tag)
    condensed.add(table).add(`${table}*`)
  }
  return condensed
}

function tableOf(tag: string): string {
  const equals = tag.indexOf('=')
  if (equals >= 0) return tag.slice(0, tag.lastIndexOf('.', equals))
  const colon = tag.indexOf(':')
  if (colon >= 0) return tag.slice(0, colon)
  return tag.endsWith('*') ? tag.slice(0, -1) : tag
}
