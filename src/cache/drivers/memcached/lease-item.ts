import type {} from '../../../core/buffer-slices.ts'
import { flagOf, type MetaReply } from './meta-parser.ts'

/** What is under the lease key of an entry: who loads it, or that the one who did has failed. */
export interface LeaseItem {
  readonly state: 'held' | 'failed'
  readonly token: string
  readonly generation: string
  /** Why it failed; '' while it is held. */
  readonly message: string
  readonly cas: string
}

/** How long those who wait for a load can be told of its failure. They ask many times a second. */
export const failureMs = 1000
const mostMessageLength = 1000

const half = 16

/** The value of a lease. */
export function heldLease(token: string, generation: string): string {
  return `L${token}${generation}`
}

/** The value that tells of a failure. */
export function failedLease({ token, generation }: LeaseItem, message: string): Buffer {
  return Buffer.from(`F${token}${generation}${message.slice(0, mostMessageLength)}`)
}

/** Reads the answer to a get with the flags v and c; undefined when there is no lease. */
export function readLease(reply: MetaReply): LeaseItem | undefined {
  const { value } = reply
  const cas = flagOf(reply, 'c')
  if (value === undefined || cas === undefined || value.length < 1 + 2 * half) return undefined
  return {
    state: value[0] === 0x46 ? 'failed' : 'held',
    token: value.latin1Slice(1, 1 + half),
    generation: value.latin1Slice(1 + half, 1 + 2 * half),
    message: value.toString('utf8', 1 + 2 * half),
    cas,
  }
}
