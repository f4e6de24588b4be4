import type { FileHandle } from 'node:fs/promises'
import type { BodyReader } from '../../body-reader.ts'

/** How much is written at a time: smaller blocks cost a thread's waking each, larger ones no less than these. */
const blockBytes = 256 * 1024
/** Beyond this, blocks are small: many slow clients cost little memory each. */
const largeBytes = 8 * 1024 * 1024
const smallBytes = 64 * 1024

let held = 0

/**
 * Writes a body to a file from a position on, a block at a time, while the next one is read. Resolves to how many bytes there were; nothing
 * is being written any more when it settles.
 */
export async function writeBlocks(file: FileHandle, reader: BodyReader, position = 0): Promise<number> {
  const blocks: Buffer[] = []
  let writing: Promise<void> | undefined
  let at = position
  try {
    for (let turn = 0; ; turn = 1 - turn) {
      const block = (blocks[turn] ??= takeBlock(reader.size))
      const bytes = await reader.fill(block)
      await writing
      writing = writeAll(file, block.subarray(0, bytes), at)
      // It is waited for after the next block is read.
      writing.catch(() => {})
      at += bytes
      if (bytes < block.length) break
    }
    await writing
    return at - position
  } finally {
    reader.end()
    await writing?.catch(() => {})
    for (const block of blocks) giveBlock(block)
  }
}

async function writeAll(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done)
    done += bytesWritten
  }
}

/** For a body that is shorter than a block, one that is not filled by it: so its end is known at once. */
function takeBlock(size: number | undefined): Buffer {
  const most = held < largeBytes ? blockBytes : smallBytes
  const block = Buffer.allocUnsafeSlow(size === undefined ? most : Math.min(most, size + 1))
  held += block.length
  return block
}

/** Its memory is given back now, not when it is collected. */
function giveBlock(block: Buffer): void {
  held -= block.length
  ;(block.buffer as ArrayBuffer).transfer(0)
}
