import type {} from '../../core/buffer-slices.ts'
import type { Codec, JsonKind } from '../../schema/model.ts'
import type { ChildJson } from './child-json.ts'
import type { JsonWriter } from './json-writer.ts'
import { offsetsSource, viewOf } from './row-offsets.ts'
import type { ColumnField, RowField, RowShape } from './row-shape.ts'
import { shapeSlots } from './shape-slots.ts'
import { keySource, readKeyText } from './text-key.ts'
import { notWritten, writeFloat, writeJson } from './write-number.ts'
import { writeBytes, writeEscaped, writeQuoted, writeText, type WriteColumn } from './write-text.ts'
import { writeDate, writeTimestamp, writeTimestamptz } from './write-time.ts'

/** Appends one row to `writer` as JSON, from its DataRow bytes. */
export type JsonEncoder = (
  writer: JsonWriter,
  chunk: Buffer,
  start: number,
  end: number,
  children: readonly ChildJson[],
) => void

/** The function that writes each kind; the last two kinds are written in place. Those in `unsure` may give up. */
const writers: Readonly<Record<Exclude<JsonKind, 'boolean' | 'value'>, WriteColumn>> = {
  number: writeBytes,
  float: writeFloat,
  string: writeQuoted,
  text: writeText,
  timestamptz: writeTimestamptz,
  timestamp: writeTimestamp,
  date: writeDate,
  json: writeJson,
}
const unsure: ReadonlySet<JsonKind> = new Set(['float', 'timestamptz', 'timestamp', 'date', 'json'])

/**
 * A row this long is written column by column with room made for each, because six bytes for every byte, the most that
 * escaping takes, would be too much memory to ask for at once.
 */
const longRow = 16_384

/**
 * Makes the function that writes rows of `shape` as JSON. Its code is generated: straight-line, with the literal bytes of
 * braces and keys put in as numbers. Keys get there through JSON.stringify only.
 */
export function compileJsonEncoder(shape: RowShape): JsonEncoder {
  const forShortRows = generate(shape, false)
  let forLongRows: JsonEncoder | undefined
  return (writer, chunk, start, end, children) => {
    if (end - start < longRow) forShortRows(writer, chunk, start, end, children)
    else (forLongRows ??= generate(shape, true))(writer, chunk, start, end, children)
  }
}

function generate(shape: RowShape, longRows: boolean): JsonEncoder {
  const code = new EncoderSource(longRows)
  code.shape(shape)
  code.flush()
  const reserve = `const room=${longRows ? '' : '(end-start)*6+'}${code.literalBytes + 64 + 8 * shapeSlots(shape).length};`
  const body =
    `const source=viewOf(chunk);${offsetsSource(shapeSlots(shape))}${reserve}writer.need(room);` +
    `let target=writer.bytes,view=writer.view,p=writer.length,q=0;${code.text}writer.length=p;`
  const names = ['viewOf', 'readKeyText', 'writeValue', 'writeLongText', ...Object.keys(writers), 'codecs']
  const make = new Function(...names, `return (writer,chunk,start,end,children)=>{${body}}`)
  return make(viewOf, readKeyText, writeValue, writeLongText, ...Object.values(writers), code.codecs) as JsonEncoder
}

/** Builds the body of an encoder. Literal text is held back so that neighbours are written together. */
class EncoderSource {
  text = ''
  literalBytes = 0
  readonly codecs: Codec[] = []
  #pending = ''
  readonly #longRows: boolean

  constructor(longRows: boolean) {
    this.#longRows = longRows
  }

  shape(shape: RowShape): void {
    if (shape.form === 'scalar') {
      this.#field(shape.fields[0]!)
      return
    }
    const array = shape.form === 'array'
    this.#pending += array ? '[' : '{'
    shape.fields.forEach((field, at) => {
      this.#pending += `${at > 0 ? ',' : ''}${array ? '' : `${JSON.stringify(field.key)}:`}`
      this.#field(field)
    })
    this.#pending += array ? ']' : '}'
  }

  #field(field: RowField): void {
    switch (field.kind) {
      case 'column':
        this.flush()
        this.text += `if(l${field.slot}<0){view.setInt32(p,${nullWord},true);p+=4}else{${this.#column(field)}}`
        return
      case 'joined':
        if (field.presence === undefined) {
          this.shape(field.shape)
          return
        }
        this.flush()
        this.text += `if(l${field.presence}<0){view.setInt32(p,${nullWord},true);p+=4}else{`
        this.shape(field.shape)
        this.flush()
        this.text += '}'
        return
      case 'children':
        this.flush()
        this.text +=
          `writer.length=p;children[${field.index}].write(writer,${keySource(field.keySlots)},'${field.cardinality === 'one' ? 'one' : 'many'}');` +
          refresh
    }
  }

  #column({ slot, codec }: ColumnField): string {
    const arguments_ = `target,view,p,chunk,source,o${slot},l${slot}`
    if (codec.json === 'boolean') {
      return `if(chunk[o${slot}]===116){view.setInt32(p,${trueWord},true);p+=4}else{view.setInt32(p,${falsWord},true);target[p+4]=101;p+=5}`
    }
    const slow = `writer.length=p;writeValue(writer,chunk,o${slot},l${slot},codecs[${this.codecs.length}]);${refresh}`
    if (codec.json === 'value' || unsure.has(codec.json)) this.codecs.push(codec)
    if (codec.json === 'value') return slow
    const fast = unsure.has(codec.json)
      ? `q=${codec.json}(${arguments_});if(q===${notWritten}){${slow}}else p=q;`
      : `p=${codec.json}(${arguments_});`
    if (!this.#longRows) return fast
    if (codec.json === 'text') {
      return `writer.length=p;writeLongText(writer,chunk,source,o${slot},l${slot});${refresh}`
    }
    return `writer.length=p;writer.need(room+l${slot}+32);target=writer.bytes;view=writer.view;${fast}`
  }

  /** Writes the literal text that was held back, four bytes at a time; what the last four overshoot is overwritten. */
  flush(): void {
    const bytes = Buffer.from(this.#pending, 'utf8')
    this.#pending = ''
    if (bytes.length === 0) return
    const padded = Buffer.concat([bytes, Buffer.alloc(3)])
    for (let at = 0; at < bytes.length; at += 4) {
      this.text += `view.setInt32(p${at > 0 ? `+${at}` : ''},${padded.readInt32LE(at)},true);`
    }
    this.text += `p+=${bytes.length};`
    this.literalBytes += bytes.length
  }
}

const nullWord = Buffer.from('null').readInt32LE(0)
const trueWord = Buffer.from('true').readInt32LE(0)
const falsWord = Buffer.from('fals').readInt32LE(0)

/** After something else has written: make room for the rest of the row, and look again where the memory is. */
const refresh = 'writer.need(room);target=writer.bytes;view=writer.view;p=writer.length;'

function bigintText(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value
}

/** The long way: whatever JSON.stringify makes of the decoded value, BigInts as decimal text. */
function writeValue(writer: JsonWriter, chunk: Buffer, from: number, length: number, codec: Codec): void {
  const value = codec.decode(chunk.utf8Slice(from, from + length))
  writer.writeUtf8(JSON.stringify(value, bigintText) ?? 'null')
}

const segmentBytes = 4096

/** Text of any length as a JSON string, making room for a segment at a time. */
function writeLongText(writer: JsonWriter, chunk: Buffer, source: DataView, from: number, length: number): void {
  writer.writeByte(0x22)
  const end = from + length
  for (let at = from; at < end; at += segmentBytes) {
    const count = Math.min(segmentBytes, end - at)
    writer.need(count * 6)
    writer.length = writeEscaped(writer.bytes, writer.view, writer.length, chunk, source, at, count)
  }
  writer.writeByte(0x22)
}
