import { pipeline } from 'node:stream/promises'
import { crc32, createDeflateRaw } from 'node:zlib'

/** A file in a zip, whose bytes come one after the other. */
export interface ZipEntry {
  /** Of ASCII. */
  readonly name: string
  /** Less than 4 GB of it. */
  readonly data: AsyncIterable<Uint8Array> | Iterable<Uint8Array>
}

interface Written {
  readonly name: Buffer
  readonly crc: number
  readonly size: number
  readonly compressed: number
  readonly offset: number
}

const mostOf32 = 0xff_ff_ff_ff
const mostOf16 = 0xff_ff
/** Sizes follow the data, since nobody knows them before; names are UTF-8. */
const flags = 0x0808
const deflated = 8
/** Midnight of 1 January 1980: the first that a zip can tell, and the same for the same content. */
const dosDate = 0x0021

/**
 * Zips files as they come (APPNOTE.TXT 6.3.10): memory holds what the compression holds, whatever the sizes. An entry has less than 4 GB,
 * the whole as much as it likes (zip64). `startsAt`: how many bytes lie before it in its file.
 */
export async function* writeZip(
  entries: AsyncIterable<ZipEntry>,
  { startsAt = 0 }: { readonly startsAt?: number } = {},
): AsyncGenerator<Uint8Array, void, void> {
  const written: Written[] = []
  let at = startsAt
  for await (const { name: text, data } of entries) {
    const name = Buffer.from(text)
    const offset = at
    const head = localHeader(name)
    at += head.length
    yield head
    const sums = { crc: 0, size: 0 }
    let compressed = 0
    for await (const chunk of deflate(data, sums)) {
      compressed += chunk.length
      yield chunk
    }
    if (sums.size > mostOf32 || compressed > mostOf32) throw new RangeError(`'${text}' has more than 4 GB.`)
    const tail = dataDescriptor({ ...sums, compressed })
    at += compressed + tail.length
    yield tail
    written.push({ name, ...sums, compressed, offset })
  }
  const directory = Buffer.concat(written.map(centralHeader))
  yield directory
  yield endOf({ entries: written.length, size: directory.length, offset: at })
}

async function* deflate(
  data: ZipEntry['data'],
  sums: { crc: number; size: number },
): AsyncGenerator<Uint8Array, void, void> {
  const deflater = createDeflateRaw({ level: 6 })
  const fed = pipeline(async function* summed() {
    for await (const chunk of data) {
      sums.crc = crc32(chunk, sums.crc)
      sums.size += chunk.length
      yield chunk
    }
  }, deflater)
  // Whoever reads hears of it too.
  fed.catch(() => {})
  for await (const chunk of deflater) yield chunk as Buffer
  await fed
}

function localHeader(name: Buffer): Buffer {
  const head = Buffer.alloc(30)
  head.writeUInt32LE(0x04_03_4b_50, 0)
  head.writeUInt16LE(20, 4)
  head.writeUInt16LE(flags, 6)
  head.writeUInt16LE(deflated, 8)
  head.writeUInt16LE(dosDate, 12)
  head.writeUInt16LE(name.length, 26)
  return Buffer.concat([head, name])
}

function dataDescriptor({ crc, compressed, size }: Pick<Written, 'crc' | 'compressed' | 'size'>): Buffer {
  const tail = Buffer.alloc(16)
  tail.writeUInt32LE(0x08_07_4b_50, 0)
  tail.writeUInt32LE(crc, 4)
  tail.writeUInt32LE(compressed, 8)
  tail.writeUInt32LE(size, 12)
  return tail
}

function centralHeader({ name, crc, size, compressed, offset }: Written): Buffer {
  const far = offset >= mostOf32
  const head = Buffer.alloc(46)
  head.writeUInt32LE(0x02_01_4b_50, 0)
  head.writeUInt16LE(far ? 45 : 20, 4)
  head.writeUInt16LE(far ? 45 : 20, 6)
  head.writeUInt16LE(flags, 8)
  head.writeUInt16LE(deflated, 10)
  head.writeUInt16LE(dosDate, 14)
  head.writeUInt32LE(crc, 16)
  head.writeUInt32LE(compressed, 20)
  head.writeUInt32LE(size, 24)
  head.writeUInt16LE(name.length, 28)
  head.writeUInt32LE(far ? mostOf32 : offset, 42)
  if (!far) return Buffer.concat([head, name])
  head.writeUInt16LE(12, 30)
  const extra = Buffer.alloc(12)
  extra.writeUInt16LE(0x0001, 0)
  extra.writeUInt16LE(8, 2)
  extra.writeBigUInt64LE(BigInt(offset), 4)
  return Buffer.concat([head, name, extra])
}

function endOf({
  entries,
  size,
  offset,
}: {
  readonly entries: number
  readonly size: number
  readonly offset: number
}): Buffer {
  const far = offset >= mostOf32 || entries >= mostOf16
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06_05_4b_50, 0)
  end.writeUInt16LE(far ? mostOf16 : entries, 8)
  end.writeUInt16LE(far ? mostOf16 : entries, 10)
  end.writeUInt32LE(size, 12)
  end.writeUInt32LE(far ? mostOf32 : offset, 16)
  if (!far) return end
  const record = Buffer.alloc(56)
  record.writeUInt32LE(0x06_06_4b_50, 0)
  record.writeBigUInt64LE(44n, 4)
  record.writeUInt16LE(45, 12)
  record.writeUInt16LE(45, 14)
  record.writeBigUInt64LE(BigInt(entries), 24)
  record.writeBigUInt64LE(BigInt(entries), 32)
  record.writeBigUInt64LE(BigInt(size), 40)
  record.writeBigUInt64LE(BigInt(offset), 48)
  const locator = Buffer.alloc(20)
  locator.writeUInt32LE(0x07_06_4b_50, 0)
  locator.writeBigUInt64LE(BigInt(offset + size), 8)
  locator.writeUInt32LE(1, 16)
  return Buffer.concat([record, locator, end])
}
