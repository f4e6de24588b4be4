import type {} from '../../../core/buffer-slices.ts'
import { stampLength } from '../../contract.ts'
import { randomToken } from '../../../core/random-token.ts'

/**
 * The largest value of one item. The server counts its own header, the key and the line end towards its limit of 1 MiB (`-I`).
 */
export const mostItemBytes = 1024 * 1024 - 512
/** The largest value that is split over several items. */
export const mostSplitBytes = 32 * 1024 * 1024

/** What is kept in place of a value that is too large for one item. */
export interface SplitHead {
  /** Names the chunks: another for every write, so that the chunks of two writes are never put together. */
  readonly name: string
  readonly bytes: number
}

// A NUL, with which no entry begins, since stamps are text; then the layout.
const mark = Buffer.from([0, 1])
const nameLength = 16
const headBytes = mark.length + nameLength + 4 + stampLength

/** The head of a value of several items, with a name of its own. */
export function createSplitHead(bytes: number): SplitHead {
  return { name: randomToken(), bytes }
}

/** The head as it is stored: the mark, the name of the chunks, the size of the value, and the value's stamp. */
export function encodeSplitHead(head: SplitHead, value: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(headBytes)
  mark.copy(bytes)
  bytes.write(head.name, mark.length, 'latin1')
  bytes.writeUInt32LE(head.bytes, mark.length + nameLength)
  value.copy(bytes, mark.length + nameLength + 4, 0, stampLength)
  return bytes
}

/** Reads a head; undefined when the bytes are an entry, which is not split. */
export function readSplitHead(bytes: Buffer): SplitHead | undefined {
  if (bytes.length !== headBytes || bytes[0] !== mark[0] || bytes[1] !== mark[1]) return undefined
  const size = bytes.readUInt32LE(mark.length + nameLength)
  const name = bytes.latin1Slice(mark.length, mark.length + nameLength)
  return size <= mostSplitBytes && /^[\w-]+$/.test(name) ? { name, bytes: size } : undefined
}

/** How many chunks a value has. */
export function chunkCount(head: SplitHead): number {
  return Math.ceil(head.bytes / mostItemBytes)
}

/** One chunk of a value, without a copy. */
export function chunkOf(value: Buffer, index: number): Buffer {
  return value.subarray(index * mostItemBytes, (index + 1) * mostItemBytes)
}

/** Puts a value together; undefined when a chunk is missing, or has not its size. */
export function joinChunks(head: SplitHead, chunks: readonly (Buffer | undefined)[]): Buffer | undefined {
  if (chunks.some((chunk) => chunk === undefined)) return undefined
  const value = Buffer.concat(chunks as Buffer[])
  return value.length === head.bytes ? value : undefined
}
