import { randomFillSync } from 'node:crypto'

const pool = Buffer.allocUnsafe(16 * 256)
let at = pool.length
let last = 0
let counter = 0

const form = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/

/** True for what may be the id of a job; no job has another one. */
export function isJobId(id: string): boolean {
  return form.test(id)
}

/** A UUID of version 7 (RFC 9562): ids that were made later sort later, those of one process in the order they were made in. */
export function jobId(now: number = Date.now()): string {
  if (at === pool.length) {
    randomFillSync(pool)
    at = 0
  }
  const random = pool.subarray(at, (at += 16))
  // 12 bits that count within a millisecond; a clock that goes back does not.
  if (now > last) {
    last = now
    counter = random.readUInt16BE(0) & 0x7ff
  } else if (++counter > 0xfff) {
    last++
    counter = 0
  }
  const time = last.toString(16).padStart(12, '0')
  const rest = random.toString('hex', 8, 16)
  const variant = ((random[8]! & 0x3f) | 0x80).toString(16)
  return `${time.slice(0, 8)}-${time.slice(8)}-7${counter.toString(16).padStart(3, '0')}-${variant}${rest.slice(2, 4)}-${rest.slice(4)}`
}
