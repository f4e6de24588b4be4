import { etagOf } from '../etag.ts'
import type { Marks, ReadAnswer } from '../reading.ts'

/**
 * An answer as the cache keeps it: one Buffer of the length of the head (32 bits, little-endian), the head as JSON, and the
 * body. What a request's own words are part of, such as its links, is not in it: requests with the same meaning share one.
 */
export interface PackedAnswer {
  /** The entity tag of the body without an encoding. */
  readonly etag: string
  readonly marks: Marks | undefined
  readonly body: Buffer
}

/** The version of the layout above: what another one wrote is missed. */
export const packedVersion = '1'

const unpacked = new WeakMap<Buffer, PackedAnswer>()

/** Packs what was read. */
export function packAnswer({ body, marks }: ReadAnswer): Buffer {
  return pack({ etag: etagOf(body), marks, body })
}

/** Packs the compressed body of an answer, under the entity tag of the body that it was made of. */
export function packVariant(etag: string, body: Buffer): Buffer {
  return pack({ etag, marks: undefined, body })
}

/** What is in a Buffer of the cache; read once for each of them. */
export function unpackAnswer(bytes: Buffer): PackedAnswer {
  let answer = unpacked.get(bytes)
  if (answer === undefined) {
    const bodyAt = 4 + bytes.readUInt32LE(0)
    const { etag, marks } = JSON.parse(bytes.toString('utf8', 4, bodyAt)) as { etag: string; marks?: Marks }
    answer = { etag, marks, body: bytes.subarray(bodyAt) }
    unpacked.set(bytes, answer)
  }
  return answer
}

function pack({ etag, marks, body }: PackedAnswer): Buffer {
  const head = Buffer.from(JSON.stringify({ etag, marks }))
  const length = Buffer.allocUnsafe(4)
  length.writeUInt32LE(head.length)
  return Buffer.concat([length, head, body])
}
