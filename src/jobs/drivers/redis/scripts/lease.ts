import { script } from './script.ts'

/**
 * While Redis was away nobody could give a heartbeat. What was alive before has time to do so: two of them, from when the first word of
 * any process has come again. The last of ARGV: how long a lease lasts, in milliseconds.
 */
const seen = `
local lease = tonumber(ARGV[#ARGV])
local seenAt = tonumber(redis.call('GET', P .. ':seen') or now)
if now - seenAt > lease / 2 then
  for _, worker in ipairs(redis.call('ZRANGE', P .. ':workers', 0, -1)) do
    redis.call('ZADD', P .. ':workers', 'GT', now + lease / 2, worker)
  end
end
redis.call('SET', P .. ':seen', now)
`

/** Gives a worker process its lease. ARGV: its id, how long that lasts. The answer is the mark of this data: another one when it was emptied since. */
export const registerWorker = script(
  `${seen}
redis.call('SET', P .. ':since', ARGV[1], 'NX')
redis.call('ZADD', P .. ':workers', now + lease, ARGV[1])
return redis.call('GET', P .. ':since')
`,
  { whenFull: true },
)

/** Renews the lease of a worker process; 0 when it is lost. ARGV: its id, how long that lasts. */
export const beat = script(
  `${seen}
if not redis.call('ZSCORE', P .. ':workers', ARGV[1]) then return 0 end
redis.call('ZADD', P .. ':workers', now + lease, ARGV[1])
return 1
`,
  { whenFull: true },
)

/** Ends the lease of a worker process that runs nothing any more; what it still has goes to others when its time is over. */
export const removeWorker = script(
  `
if redis.call('SCARD', P .. ':worker:' .. ARGV[1]) > 0 then
  redis.call('ZADD', P .. ':workers', 'XX', now, ARGV[1])
else
  redis.call('ZREM', P .. ':workers', ARGV[1])
end
return 1
`,
  { whenFull: true },
)

/**
 * Takes the leases of processes that give no heartbeat any more, and forgets jobs whose time to be kept is over. ARGV: how many deaths
 * are too many, what is said of such jobs, how long a lease lasts. The answer: the jobs whose worker has died, how many
 * were forgotten, and the mark of this data.
 */
export const sweep = script(
  `${seen}
local died = {}
for _, worker in ipairs(redis.call('ZRANGEBYSCORE', P .. ':workers', '-inf', '(' .. now)) do
  for _, id in ipairs(redis.call('SMEMBERS', P .. ':worker:' .. worker)) do
    local f = redis.call('HMGET', key(id), 's', 'w', 'q', 'p', 'l', 't', 'a', 'd', 'u', 'uu', 'x', 'wt', 'rl', 'n', 'en')
    if f[1] == 'active' and f[2] == worker then
      local queue, deaths = f[3], f[8] + 1
      count(queue, 'active', -1)
      if f[5] then redis.call('SREM', P .. ':running:' .. f[5], id) end
      local job = { queue = queue, unique = f[9], uniqueUntil = f[10], ending = f[15], watched = f[12], relayed = f[13] }
      died[#died + 1] = { id, f[14], queue, deaths >= tonumber(ARGV[1]) and 1 or 0, f[11] and 1 or 0 }
      if f[11] then
        finish(id, 'cancelled', day, job, { 'd', deaths, 'a', f[7] - 1 })
      elseif deaths >= tonumber(ARGV[1]) then
        finish(id, 'quarantined', nil, job, { 'd', deaths, 'a', f[7] - 1, 'err', ARGV[2] })
      else
        redis.call('HSET', key(id), 's', 'waiting', 'd', deaths, 'a', f[7] - 1)
        count(queue, 'waiting', 1)
        push(id, queue, f[4], f[5], f[6], deaths)
      end
    end
  end
  redis.call('DEL', P .. ':worker:' .. worker)
  redis.call('ZREM', P .. ':workers', worker)
end
local expired = redis.call('ZRANGEBYSCORE', P .. ':expires', '-inf', now, 'LIMIT', 0, 500)
for _, id in ipairs(expired) do
  local state, queue, relayed = unpack(redis.call('HMGET', key(id), 's', 'q', 'rl'))
  if state then forget(id, queue, state, relayed) end
end
each(expired, 1000, function(...) redis.call('ZREM', P .. ':expires', ...) end)
flush()
return { died, #expired, redis.call('GET', P .. ':since') }
`,
  { whenFull: true },
)

/**
 * Hands back what a worker process has taken without learning of it; what was cancelled since ends. ARGV: its id, then the runs that it knows of, each a job and its number.
 * The answer: the cancelled jobs it runs, and those of which others have, or have ended, a run that Redis has no memory of giving it. A job
 * that is not there any more is nobody else's.
 */
export const reconcile = script(
  `
local worker = ARGV[1]
local known, cancelled, lost = {}, {}, {}
for at = 2, #ARGV, 2 do
  local id, epoch = ARGV[at], ARGV[at + 1]
  known[id .. ':' .. epoch] = true
  local f = redis.call('HMGET', key(id), 's', 'w', 'ep')
  local held = f[1] == 'active' and f[2] == worker and f[3] == epoch
  if f[1] and f[1] ~= 'waiting' and f[1] ~= 'delayed' and not held then lost[#lost + 1] = id end
end
for _, id in ipairs(redis.call('SMEMBERS', P .. ':worker:' .. worker)) do
  local f = redis.call('HMGET', key(id), 's', 'w', 'q', 'p', 'l', 't', 'a', 'd', 'x', 'ep', 'u', 'uu', 'en', 'wt', 'rl')
  if f[1] ~= 'active' or f[2] ~= worker then
    redis.call('SREM', P .. ':worker:' .. worker, id)
  elseif known[id .. ':' .. f[10]] then
    if f[9] then cancelled[#cancelled + 1] = id end
  else
    redis.call('SREM', P .. ':worker:' .. worker, id)
    if f[5] then redis.call('SREM', P .. ':running:' .. f[5], id) end
    count(f[3], 'active', -1)
    if f[9] then
      finish(id, 'cancelled', day, { queue = f[3], unique = f[11], uniqueUntil = f[12], ending = f[13], watched = f[14], relayed = f[15] }, { 'a', f[7] - 1 })
    else
      redis.call('HSET', key(id), 's', 'waiting', 'a', f[7] - 1)
      count(f[3], 'waiting', 1)
      push(id, f[3], f[4], f[5], f[6], f[8])
    end
  end
end
flush()
return { cancelled, lost }
`,
  { whenFull: true },
)
