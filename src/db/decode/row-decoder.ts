import type { Codec, ValueKind } from '../../schema/model.ts'
import {
  readBigint,
  readBoolean,
  readDate,
  readFloat,
  readInteger,
  readJson,
  readText,
  readTimestamp,
  readTimestamptz,
  type ReadColumn,
} from './read-value.ts'
import { offsetsSource, viewOf } from './row-offsets.ts'
import type { ChildRows, RowField, RowShape } from './row-shape.ts'
import { shapeSlots } from './shape-slots.ts'
import { keySource, readKeyText } from './text-key.ts'

/** Makes one row of its DataRow bytes. */
export type RowDecoder = (chunk: Buffer, start: number, end: number, children: readonly ChildRows[]) => unknown

const readers: Readonly<Record<Exclude<ValueKind, 'value'>, ReadColumn<unknown>>> = {
  int: readInteger,
  float: readFloat,
  bigint: readBigint,
  text: readText,
  boolean: readBoolean,
  timestamptz: readTimestamptz,
  timestamp: readTimestamp,
  date: readDate,
  json: readJson,
}

/**
 * Makes the function that turns rows of `shape` into JavaScript values. Its code is one generated object literal, so that
 * all rows share a hidden class. Keys get there through JSON.stringify only.
 */
export function compileRowDecoder(shape: RowShape): RowDecoder {
  const codecs: Codec[] = []
  const body = `const source=viewOf(chunk);${offsetsSource(shapeSlots(shape))}return (${shapeSource(shape, codecs)})`
  const names = [
    'viewOf',
    'readKeyText',
    'codecs',
    'manyOf',
    'oneOf',
    ...Object.keys(readers).map((kind) => `${kind}_`),
  ]
  const make = new Function(...names, `return (chunk,start,end,children)=>{${body}}`)
  return make(viewOf, readKeyText, codecs, manyOf, oneOf, ...Object.values(readers)) as RowDecoder
}

function shapeSource({ form, fields }: RowShape, codecs: Codec[]): string {
  const values = fields.map((field) => fieldSource(field, codecs))
  if (form === 'scalar') return values[0]!
  if (form === 'array') return `[${values.join(',')}]`
  // In brackets, because the plain key "__proto__" in a literal would set the prototype.
  const key = (text: string): string => (text === '__proto__' ? '["__proto__"]' : JSON.stringify(text))
  return `{${values.map((value, at) => `${key(fields[at]!.key)}:${value}`).join(',')}}`
}

function fieldSource(field: RowField, codecs: Codec[]): string {
  switch (field.kind) {
    case 'column': {
      const { slot, codec } = field
      if (codec.value !== 'value') return `l${slot}<0?null:${codec.value}_(chunk,o${slot},l${slot})`
      codecs.push(codec)
      return `l${slot}<0?null:codecs[${codecs.length - 1}].decode(chunk.utf8Slice(o${slot},o${slot}+l${slot}))`
    }
    case 'joined': {
      const object = shapeSource(field.shape, codecs)
      return field.presence === undefined ? object : `l${field.presence}<0?null:${object}`
    }
    case 'children':
      return `${field.cardinality === 'one' ? 'oneOf' : 'manyOf'}(children[${field.index}],${keySource(field.keySlots)})`
  }
}

function manyOf(children: ChildRows, key: string | undefined): unknown[] {
  return (key === undefined ? undefined : children.get(key)) ?? []
}

function oneOf(children: ChildRows, key: string | undefined): unknown {
  return (key === undefined ? undefined : children.get(key)?.[0]) ?? null
}
