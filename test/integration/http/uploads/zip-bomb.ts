import { crc32, deflateRawSync } from 'node:zlib'

/**
 * A zip archive whose entries are, unpacked, so many megabytes of zeros each. Whoever asks an archive what it is unpacks entries of these
 * names.
 */
export function zipBomb(names: readonly string[], megabytes: number): Buffer {
  const zeros = Buffer.alloc(megabytes * 1024 * 1024)
  const packed = deflateRawSync(zeros, { level: 9 })
  const [sum, parts, directory] = [crc32(zeros), [] as Buffer[], [] as Buffer[]]
  let at = 0
  for (const name of names) {
    const common = Buffer.alloc(26)
    common.writeUInt16LE(20, 0)
    common.writeUInt16LE(8, 4)
    common.writeUInt32LE(sum, 10)
    common.writeUInt32LE(packed.length, 14)
    common.writeUInt32LE(zeros.length, 18)
    common.writeUInt16LE(name.length, 22)
    const local = Buffer.concat([Buffer.from('PK\u0003\u0004', 'latin1'), common, Buffer.from(name, 'latin1'), packed])
    const place = Buffer.alloc(14)
    place.writeUInt32LE(at, 10)
    const begin = Buffer.from('PK\u0001\u0002\u0014\u0000', 'latin1')
    directory.push(Buffer.concat([begin, common, place, Buffer.from(name, 'latin1')]))
    parts.push(local)
    at += local.length
  }
  const listed = Buffer.concat(directory)
  const end = Buffer.alloc(22)
  end.write('PK\u0005\u0006', 'latin1')
  end.writeUInt16LE(names.length, 8)
  end.writeUInt16LE(names.length, 10)
  end.writeUInt32LE(listed.length, 12)
  end.writeUInt32LE(at, 16)
  return Buffer.concat([...parts, listed, end])
}
