import { open } from 'node:fs/promises'

/**
 * Whether a file has all of its boxes (ISO/IEC 14496-12, 4.2), to its last byte, and the one that says what is in the others. A program may
 * be content with a file that it could not end.
 */
export async function isWholeMp4(path: string): Promise<boolean> {
  const file = await open(path)
  try {
    const { size } = await file.stat()
    const head = Buffer.alloc(16)
    let described = false
    let at = 0
    while (at < size) {
      const { bytesRead } = await file.read(head, 0, 16, at)
      if (bytesRead < 8) return false
      const short = head.readUInt32BE(0)
      const length = short === 1 && bytesRead === 16 ? Number(head.readBigUInt64BE(8)) : short
      // Zero is "to the end": what a box says that nobody has come back to.
      if (length < 8) return false
      described ||= head.toString('latin1', 4, 8) === 'moov'
      at += length
    }
    return described && at === size
  } finally {
    await file.close()
  }
}
