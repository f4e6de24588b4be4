import { script } from './script.ts'

/**
 * Takes jobs for a worker process: its id, how many, how many of those whose worker has died, and of those that have lost two, the
 * bounds of limits as JSON, and then queues, each with how many. The answer: false when its lease is lost; else in how many milliseconds the next delayed job is due, in
 * how many a rate allows another one (-1: none), and the jobs. Jobs that are due become ready first.
 */
export const claimJobs = script(
  `
local worker, room, limits = ARGV[1], tonumber(ARGV[2]), cjson.decode(ARGV[5])
local open = { suspect = tonumber(ARGV[3]), prime = tonumber(ARGV[4]) }
if not redis.call('ZSCORE', P .. ':workers', worker) then return false end

local due = redis.call('ZRANGEBYSCORE', P .. ':delayed', '-inf', now, 'LIMIT', 0, 500)
for _, id in ipairs(due) do
  local state, queue, priority, limit, tenant, deaths = unpack(redis.call('HMGET', key(id), 's', 'q', 'p', 'l', 't', 'd'))
  if state == 'delayed' then
    redis.call('HSET', key(id), 's', 'waiting')
    redis.call('HDEL', key(id), 'du')
    count(queue, 'delayed', -1)
    count(queue, 'waiting', 1)
    push(id, queue, priority, limit, tenant, deaths)
  end
end
each(due, 1000, function(...) redis.call('ZREM', P .. ':delayed', ...) end)
flush()
counts, pushes, order, news = {}, {}, {}, {}

local jobs, taken, againMs = {}, {}, -1
local known = {}
-- What is left of the bounds of a limit.
local function boundOf(limit)
  local bound = limits[limit]
  if not bound then return nil end
  if known[limit] then return known[limit] end
  local left = { concurrency = math.huge, tokens = math.huge }
  if bound.concurrency then left.concurrency = bound.concurrency - redis.call('SCARD', P .. ':running:' .. limit) end
  if bound.count then
    local tokens, at = unpack(redis.call('HMGET', P .. ':rate:' .. limit, 'tokens', 'at'))
    left.perMs = bound.count / bound.perMs
    left.tokens = math.min(bound.count, tokens and tokens + math.max(0, now - at) * left.perMs or bound.count)
  end
  known[limit] = left
  return left
end

local function start(id, lane)
  local f = redis.call('HMGET', key(id), 's', 'n', 'v', 'q', 't', 'i', 'a', 'd', 'o', 'tr', 'st', 'c', 'l', 'u', 'us', 'ep', 'wt')
  -- Cancelled, or put off, since it came into the lane.
  if f[1] ~= 'waiting' then return 0 end
  local ending = f[14] and redis.call('GET', P .. ':ending:' .. f[14])
  if ending and redis.call('HGET', key(ending), 's') == 'active' then
    redis.call('RPUSH', P .. ':behind:' .. f[14], id)
    return 0
  end
  local attempt, epoch = f[7] + 1, f[16] + 1
  redis.call('HSET', key(id), 's', 'active', 'w', worker, 'a', attempt, 'ep', epoch, 'sa', now)
  if f[14] and f[15] then release(f[14], id) end
  if f[13] then redis.call('SADD', P .. ':running:' .. f[13], id) end
  if f[17] then tell('p\\t' .. id) end
  taken[#taken + 1] = id
  count(f[4], 'waiting', -1)
  count(f[4], 'active', 1)
  jobs[#jobs + 1] = { id, f[2], f[3], f[4], f[5], f[6], attempt, f[8], f[9], f[10], f[11], f[12], f[13], epoch }
  return 1
end

-- Takes from the lanes of a queue, at most so many jobs: of those with the highest priority alike, and in turns.
local function take(queue, most, line)
  local lanes = lanesOf(queue, line)
  local left, closed = most, 0
  while left > 0 do
    local first = redis.call('ZRANGE', lanes, closed, closed + 31, 'WITHSCORES')
    if #first == 0 then break end
    local level = math.floor(first[2] / 1099511627776)
    local same = 0
    while same * 2 < #first and math.floor(first[same * 2 + 2] / 1099511627776) == level do same = same + 1 end
    local share = math.ceil(left / same)
    for at = 1, same do
      if left == 0 then break end
      local lane = first[at * 2 - 1]
      local bound = boundOf(lane:match('^[^\\n]*\\n[^\\n]*\\n([^\\n]*)\\n'))
      local want = math.min(share, left)
      if bound then want = math.min(want, bound.concurrency, math.floor(bound.tokens)) end
      if want <= 0 then
        closed = closed + 1
        if bound.perMs and bound.tokens < 1 then
          local inMs = math.ceil((1 - bound.tokens) / bound.perMs)
          if againMs < 0 or inMs < againMs then againMs = inMs end
        end
      else
        local list = idsOf(lane, line)
        local ids = redis.call('LPOP', list, want) or {}
        local started = 0
        for _, id in ipairs(ids) do started = started + start(id) end
        if #ids < want or redis.call('LLEN', list) == 0 then
          redis.call('ZREM', lanes, lane)
        else
          redis.call('ZADD', lanes, 'XX', level * 1099511627776 + redis.call('HINCRBY', P .. ':turns', queue, 1), lane)
        end
        if bound then
          bound.concurrency = bound.concurrency - started
          bound.tokens = bound.tokens - started
        end
        left = left - started
      end
    end
  end
  return most - left
end

for at = 6, #ARGV, 2 do
  local queue, most = ARGV[at], math.min(tonumber(ARGV[at + 1]), room)
  for _, line in ipairs({ 'prime', 'suspect' }) do
    local some = math.min(open[line], most)
    if some > 0 then
      some = take(queue, some, line)
      open[line], most, room = open[line] - some, most - some, room - some
    end
  end
  if most > 0 then room = room - take(queue, most, 'lane') end
end

for limit, bound in pairs(known) do
  if bound.perMs then
    redis.call('HSET', P .. ':rate:' .. limit, 'tokens', bound.tokens, 'at', now)
    redis.call('PEXPIRE', P .. ':rate:' .. limit, math.ceil(limits[limit].perMs) + day)
  end
end
each(taken, 1000, function(...) redis.call('SADD', P .. ':worker:' .. worker, ...) end)
flush()
local next = redis.call('ZRANGE', P .. ':delayed', 0, 0, 'WITHSCORES')
return { next[2] and math.max(0, next[2] - now) or -1, againMs, jobs }
`,
  { whenFull: true },
)
