import { open } from 'node:fs/promises'

/** A part of an MP4 file, and where it lies in it (ISO/IEC 14496-12, 4.2). */
interface Box {
  readonly type: string
  readonly at: number
  /** In bytes. */
  readonly length: number
}

/**
 * Whether a file has all of its boxes, to its last byte, and the one that says what is in the others. A program may be content with a file
 * that it could not end.
 */
export async function isWholeMp4(path: string): Promise<boolean> {
  const boxes = (await boxesOf(path)) ?? []
  const has = (type: string): boolean => boxes.some((box) => box.type === type)
  // What is in fragments ends with where they are.
  return has('moov') && (!has('moof') || boxes.at(-1)!.type === 'mfra')
}

/** From which byte to which, exclusively, the fragments of a file lie; undefined when it is not in fragments, or not whole. */
export async function fragmentsOf(path: string): Promise<{ readonly start: number; readonly end: number } | undefined> {
  const boxes = (await boxesOf(path)) ?? []
  const first = boxes.find(({ type }) => type === 'moof')
  const last = boxes.at(-1)
  return first === undefined || last?.type !== 'mfra' ? undefined : { start: first.at, end: last.at }
}

/** Undefined when the last one is not whole. */
async function boxesOf(path: string): Promise<readonly Box[] | undefined> {
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
