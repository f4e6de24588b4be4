import type { Assignment } from './assignments.ts'

/** The expressions of assignments; `placeholder` names the value at a position, `$1` for 0 unless it says otherwise. */
export function assignmentSql(
  items: readonly Assignment[],
  placeholder: (at: number) => string = (at) => `$${at + 1}`,
): string[] {
  let at = 0
  return items.map(({ pieces }) => pieces.reduce((sofar, piece) => `${sofar}${placeholder(at++)}${piece}`))
}
