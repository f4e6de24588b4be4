import type { RowShape } from './row-shape.ts'

/** Every slot that a decoder of `shape` looks at, ascending. */
export function shapeSlots(shape: RowShape): number[] {
  const slots = new Set<number>()
  const walk = ({ fields }: RowShape): void => {
    for (const field of fields) {
      if (field.kind === 'column') slots.add(field.slot)
      else if (field.kind === 'children') for (const slot of field.keySlots) slots.add(slot)
      else {
        if (field.presence !== undefined) slots.add(field.presence)
        walk(field.shape)
      }
    }
  }
  walk(shape)
  return [...slots].sort((a, b) => a - b)
}
