/**
 * The type to cast a value to before it meets a column of `sqlType`: the same without its length. An explicit cast to
 * `varchar(3)` would cut a longer value silently, where PostgreSQL's own assignment refuses it and a comparison finds nothing.
 * A bare `char` or `bit` would mean a length of one, so those become their types of any length.
 */
export function castType(sqlType: string): string {
  return sqlType
    .replace(/\s*\([^)]*\)/g, '')
    .replace(/^(character|char)(?=\[|$)/, 'bpchar')
    .replace(/^bit(?=\[|$)/, 'varbit')
}
