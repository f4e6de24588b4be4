import { PlimsollError, showValue } from '../core/errors.ts'

/**
 * The part of a shape's key that stands for the paths of `call`. No property has a comma in its name, so how many paths there
 * are tells two of them from one that has a comma in it.
 *
 * @throws PLIMSOLL_QUERY_INVALID for what is no text.
 */
export function pathsKey(call: string, paths: readonly unknown[]): string {
  for (const path of paths) {
    if (typeof path !== 'string') {
      throw new PlimsollError(
        'PLIMSOLL_QUERY_INVALID',
        `${call}() takes paths, each an argument of its own such as 'title', not ${showValue(path)}.`,
      )
    }
  }
  return `${call} ${paths.length} ${paths.join(',')}`
}
