import { inspect, isDeepStrictEqual } from 'node:util'

/**
 * Throws unless `actual` has the rows and the nesting of `expected`, both as parsed JSON. To-many children may come in any
 * order (no workload orders them), and an object may carry keys that were not asked for (a number under its primary key, a
 * foreign key, or the name of a to-one relation that is not loaded): some libraries cannot leave them out.
 */
export function verifyAnswer(actual: unknown, expected: unknown, label: string): void {
  const difference = findDifference(actual, expected, '$')
  if (difference) throw new Error(`${label} returned wrong data: ${difference}`)
}

function findDifference(actual: unknown, expected: unknown, path: string): string | undefined {
  if (Array.isArray(expected)) {
    if (!Array.isArray(actual)) return `${path} is no array but ${show(actual)}`
    if (actual.length !== expected.length) return `${path} has ${actual.length} rows instead of ${expected.length}`
    const [left, right] = path === '$' ? [actual, expected] : [byId(actual), byId(expected)]
    for (const [index, row] of right.entries()) {
      const difference = findDifference(left[index], row, `${path}[${index}]`)
      if (difference) return difference
    }
    return undefined
  }
  if (isObject(expected)) {
    if (!isObject(actual)) return `${path} is no object but ${show(actual)}`
    for (const key of Object.keys(expected)) {
      const difference = findDifference(actual[key], expected[key], `${path}.${key}`)
      if (difference) return difference
    }
    const extra = Object.keys(actual).find((key) => !(key in expected) && typeof actual[key] !== 'number')
    return extra === undefined ? undefined : `${path}.${extra} was not asked for`
  }
  return isDeepStrictEqual(actual, expected) ? undefined : `${path} is ${show(actual)} instead of ${show(expected)}`
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const byId = (rows: unknown[]): unknown[] =>
  rows.toSorted((a, b) => (a as { id: number }).id - (b as { id: number }).id)

const show = (value: unknown): string => inspect(value, { breakLength: Infinity }).slice(0, 80)
