import { open } from 'node:fs/promises'

/** A part of an MP4 file, and where it lies in it (ISO/IEC 14496-12, 4.2). */
interface Box {
  readonly type: string
  readonly at: number
  /** In bytes, its head of 8 among them. */
  readonly length: number
}

/** The fragments of a file (8.8), one after the other, and what is not said in them. */
export interface Fragments {
  /** Their first byte. */
  readonly start: number
  /** The byte behind them. */
  readonly end: number
  /** How much later the first frame is decoded than it would be without frames that are stored in another order, in ticks of the track. */
  readonly delay: number
}

/**
 * Whether a file has all of its boxes, to its last byte, and the one that says what is in the others. A program may be content with a file
 * that it could not end.
 */
export async function isWholeMp4(path: string): Promise<boolean> {
  const boxes = (await fileBoxes(path)) ?? []
  const has = (type: string): boolean => boxes.some((box) => box.type === type)
  // What is in fragments ends with where they are.
  return has('moov') && (!has('moof') || boxes.at(-1)!.type === 'mfra')
}

/** Where the fragments of a file with one track lie; undefined when it is not in fragments, or not whole. */
export async function fragmentsOf(path: string): Promise<Fragments | undefined> {
  const boxes = (await fileBoxes(path)) ?? []
  const first = boxes.find(({ type }) => type === 'moof')
  const last = boxes.at(-1)
  if (first === undefined || last?.type !== 'mfra') return undefined
  const moov = await readBox(
    path,
    boxes.find(({ type }) => type === 'moov')!,
  )
  return { start: first.at, end: last.at, delay: delayIn(moov) }
}

/** Fragments in memory, each of which is decoded so much later, in ticks. */
export function shifted(fragments: Buffer, ticks: number): Buffer {
  for (const moof of boxesIn(fragments, 0, fragments.length).filter(({ type }) => type === 'moof')) {
    const tfdt = boxAt(fragments, moof, ['traf', 'tfdt'])
    if (tfdt === undefined) continue
    const time = tfdt.at + 12
    if (fragments[tfdt.at + 8] === 1) fragments.writeBigUInt64BE(fragments.readBigUInt64BE(time) + BigInt(ticks), time)
    else fragments.writeUInt32BE(fragments.readUInt32BE(time) + ticks, time)
  }
  return fragments
}

/** Undefined when the last one is not whole. */
async function fileBoxes(path: string): Promise<readonly Box[] | undefined> {
  const file = await open(path)
  try {
    const { size } = await file.stat()
    const head = Buffer.alloc(16)
    const boxes: Box[] = []
    let at = 0
    while (at < size) {
      const { bytesRead } = await file.read(head, 0, 16, at)
      if (bytesRead < 8) return undefined
      const short = head.readUInt32BE(0)
      const length = short === 1 && bytesRead === 16 ? Number(head.readBigUInt64BE(8)) : short
      // Zero is "to the end": what a box says that nobody has come back to.
      if (length < 8) return undefined
      boxes.push({ type: head.toString('latin1', 4, 8), at, length })
      at += length
    }
    return at === size ? boxes : undefined
  } finally {
    await file.close()
  }
}

async function readBox(path: string, { at, length }: Box): Promise<Buffer> {
  const file = await open(path)
  try {
    const bytes = Buffer.alloc(length)
    await file.read(bytes, 0, length, at)
    return bytes
  } finally {
    await file.close()
  }
}

/** What an edit list (8.6.6) leaves out of the beginning of the track. */
function delayIn(moov: Buffer): number {
  const elst = boxAt(moov, { type: 'moov', at: 0, length: moov.length }, ['trak', 'edts', 'elst'])
  if (elst === undefined) return 0
  const wide = moov[elst.at + 8] === 1
  const count = moov.readUInt32BE(elst.at + 12)
  const times = Array.from({ length: count }, (_, i) =>
    wide ? Number(moov.readBigInt64BE(elst.at + 24 + 20 * i)) : moov.readInt32BE(elst.at + 20 + 12 * i),
  )
  // An empty edit, before the track begins, has -1.
  return times.find((time) => time >= 0) ?? 0
}

function boxAt(bytes: Buffer, { at, length }: Box, [type, ...within]: readonly string[]): Box | undefined {
  const found = boxesIn(bytes, at + 8, at + length).find((box) => box.type === type)
  return found === undefined || within.length === 0 ? found : boxAt(bytes, found, within)
}

function boxesIn(bytes: Buffer, from: number, to: number): Box[] {
  const boxes: Box[] = []
  for (let at = from; at + 8 <= to;) {
    const length = bytes.readUInt32BE(at)
    if (length < 8) break
    boxes.push({ type: bytes.toString('latin1', at + 4, at + 8), at, length })
    at += length
  }
  return boxes
}
