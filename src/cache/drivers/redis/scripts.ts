import type { Redis } from 'ioredis'

/**
 * A lease is `L`, 16 characters of its holder's token, 16 of its generation; or `F`, 16 of a generation and a message: the load
 * has failed. Every script gets an entry and its lease, which are on one server.
 */
const acquire = `
local stamp = redis.call('GETRANGE', KEYS[1], 0, 31)
if #stamp == 32 and string.sub(stamp, 1, 16) == ARGV[1] and string.sub(stamp, 17) ~= ARGV[4] then
  return { 'filled', redis.call('GET', KEYS[1]), redis.call('PTTL', KEYS[1]) }
end
local lease = redis.call('GET', KEYS[2])
if lease then
  if string.sub(lease, 1, 1) == 'F' then
    if ARGV[5] == '1' and string.sub(lease, 2, 17) == ARGV[1] then
      return { 'failed', string.sub(lease, 18) }
    end
  elseif string.sub(lease, 18) == ARGV[1] and string.sub(lease, 2, 17) ~= ARGV[2] then
    return { 'taken' }
  end
end
redis.call('SET', KEYS[2], 'L' .. ARGV[2] .. ARGV[1], 'PX', ARGV[3])
return { 'won' }`

/** A Redis that has no room for the entry frees the lease all the same: nobody waits for what cannot be filled. */
const fill = `
local lease = redis.call('GET', KEYS[2])
if not lease or string.sub(lease, 1, 17) ~= 'L' .. ARGV[1] then return 0 end
local kept = redis.pcall('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('DEL', KEYS[2])
return kept.err and kept or 1`

const renew = `
local lease = redis.call('GET', KEYS[1])
if not lease or string.sub(lease, 1, 17) ~= 'L' .. ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])`

/** Three arguments: how long the message of a failure is kept, and the message; without them the lease is just freed. */
const release = `
local lease = redis.call('GET', KEYS[1])
if not lease or string.sub(lease, 1, 17) ~= 'L' .. ARGV[1] then return 0 end
if ARGV[2] then
  redis.call('SET', KEYS[1], 'F' .. string.sub(lease, 18) .. ARGV[3], 'PX', ARGV[2])
else
  redis.call('DEL', KEYS[1])
end
return 1`

const put = `
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return redis.call('DEL', KEYS[2])`

/** The scripts as ioredis defines them: sent once on each connection, called by their digest after that. */
export const scripts = {
  plimsollAcquire: { lua: acquire, numberOfKeys: 2 },
  plimsollFill: { lua: fill, numberOfKeys: 2 },
  plimsollRenew: { lua: renew, numberOfKeys: 1 },
  plimsollRelease: { lua: release, numberOfKeys: 1 },
  plimsollPut: { lua: put, numberOfKeys: 2 },
} as const

/** A connection that knows the {@link scripts}. */
export interface ScriptClient extends Redis {
  plimsollAcquireBuffer(
    entry: string,
    lease: string,
    ask: readonly string[],
  ): Promise<[state: Buffer, value?: Buffer, remainingMs?: number]>
  plimsollFill(entry: string, lease: string, token: string, bytes: Buffer, ttlMs: number): Promise<number>
  plimsollRenew(lease: string, token: string, leaseMs: number): Promise<number>
  plimsollRelease(lease: string, ...token: (string | number)[]): Promise<number>
  plimsollPut(entry: string, lease: string, bytes: Buffer, ttlMs: number): Promise<number>
}

const bytesPerWeight = 1024 * 1024

/** Redis takes whole milliseconds, and at least one. */
export function wholeMs(ms: number): number {
  return Math.max(1, Math.ceil(ms))
}

/** One more time-out for every megabyte that has to get there: 10 MB/s is no outage. */
export function weightOf({ length }: Buffer): number {
  return 1 + Math.floor(length / bytesPerWeight)
}
