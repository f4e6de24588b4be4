import { compileJsonEncoder, type JsonEncoder } from '../decode/json-encoder.ts'
import { compileRowDecoder, type RowDecoder } from '../decode/row-decoder.ts'
import type { RowShape } from '../decode/row-shape.ts'
import { memoizeByObject } from '../memoize.ts'

/** The decoder of a shape, generated once. */
export const rowDecoder: (shape: RowShape) => RowDecoder = memoizeByObject(compileRowDecoder)

/** The JSON encoder of a shape, generated once. */
export const jsonEncoder: (shape: RowShape) => JsonEncoder = memoizeByObject(compileJsonEncoder)
