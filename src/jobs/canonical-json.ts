/**
 * The same text for the same value, in whatever order the keys of its objects were written.
 *
 * @example
 * canonicalJson('{"b":1,"a":[{"d":2,"c":3}]}') // → '{"a":[{"c":3,"d":2}],"b":1}'
 */
export function canonicalJson(text: string): string {
  return JSON.stringify(JSON.parse(text), (_, value: unknown) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
    return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
  })
}
