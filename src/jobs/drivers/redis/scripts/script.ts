import { createHash } from 'node:crypto'
import { mostDeaths } from '../../../contract.ts'

/** A script that Redis runs as one step. Its only key is what all of ours begin with. */
export interface RedisScript {
  readonly text: string
  readonly sha: string
}

/**
 * What all scripts know. `P`: what every key begins with; its `{…}` keeps them in one slot of a cluster. `now`: the server's clock. What
 * they change of counts, lanes and news is gathered, and written once at the end by `flush()`.
 */
const prelude = `
local P = KEYS[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local day = 86400000
local counts, pushes, order, news, soonest = {}, {}, {}, {}, nil

local function key(id) return P .. ':job:' .. id end
-- The job that an id stands for: its own, or the one that held its key when the relay handed it on.
local function jobOf(id)
  if redis.call('EXISTS', key(id)) == 1 then return id end
  return redis.call('GET', P .. ':gone:' .. id) or id
end
local function count(queue, state, n)
  local field = state .. ':' .. queue
  counts[field] = (counts[field] or 0) + n
end
local function tell(line)
  if not news[line] then news[line] = true; news[#news + 1] = line end
end
local function each(ids, most, run)
  for from = 1, #ids, most do run(unpack(ids, from, math.min(from + most - 1, #ids))) end
end

-- Puts a job that is ready to the end of its lane. Those whose worker has died wait in a line of their own, and those that have lost two.
local function push(id, queue, priority, limit, tenant, deaths)
  deaths = tonumber(deaths)
  local line = deaths == 0 and 'lane' or deaths < ${mostDeaths - 1} and 'suspect' or 'prime'
  local lane = table.concat({ priority, queue, limit or '', tenant }, '\\n')
  local name = line .. lane
  if not pushes[name] then
    pushes[name] = { queue = queue, priority = tonumber(priority), line = line, lane = lane, ids = {} }
    order[#order + 1] = name
  end
  table.insert(pushes[name].ids, id)
  tell('r\\t' .. queue)
end

local function delay(id, ms)
  redis.call('ZADD', P .. ':delayed', now + ms, id)
  if not soonest or ms < soonest then soonest = ms end
end

local lines = { lane = ':ready:', suspect = ':suspects:', prime = ':primes:' }
local function lanesOf(queue, line) return P .. lines[line] .. queue end
local function idsOf(lane, line) return P .. ':' .. line .. ':' .. lane end
-- The higher priority first; in one priority whoever was served the longest ago.
local function rank(priority, turn) return -priority * 1099511627776 + turn end

-- Frees a key that a job holds.
local function release(unique, id)
  local name = P .. ':unique:' .. unique
  if redis.call('GET', name) == id then redis.call('DEL', name) end
  redis.call('HDEL', key(id), 'u')
end

-- A run that was cancelled with a key has ended: those go on that have waited for that.
local function follow(ending)
  local waiting = P .. ':behind:' .. ending
  for _, id in ipairs(redis.call('LRANGE', waiting, 0, -1)) do
    local state, queue, priority, limit, tenant, deaths = unpack(redis.call('HMGET', key(id), 's', 'q', 'p', 'l', 't', 'd'))
    if state == 'waiting' then push(id, queue, priority, limit, tenant, deaths) end
  end
  redis.call('DEL', waiting, P .. ':ending:' .. ending)
end

local function forget(id, queue, state, relayed)
  redis.call('DEL', key(id))
  redis.call('ZREM', P .. ':expires', id)
  redis.call('ZREM', P .. ':state:' .. state, id)
  count(queue, state, -1)
  -- The relay may hand it on once more.
  if relayed then redis.call('SET', P .. ':gone:' .. id, id, 'PX', day) end
end

-- The end of a job, with the fields that tell of it. job: queue, unique, uniqueUntil, ending, watched, relayed. Without keep it is kept for ever.
local function finish(id, state, keep, job, fields)
  if job.unique and not job.uniqueUntil then release(job.unique, id) end
  if job.ending then follow(job.ending) end
  if job.watched then tell('e\\t' .. id) end
  count(job.queue, state, 1)
  local n = #fields
  fields[n + 1], fields[n + 2], fields[n + 3], fields[n + 4] = 's', state, 'ea', now
  if keep then
    local untilMs = math.max(now + keep, tonumber(job.uniqueUntil or 0))
    if untilMs <= now then return forget(id, job.queue, state, job.relayed) end
    redis.call('ZADD', P .. ':expires', untilMs, id)
    fields[n + 5], fields[n + 6] = 'xa', untilMs
  end
  redis.call('HSET', key(id), unpack(fields))
  if state == 'failed' or state == 'quarantined' then redis.call('ZADD', P .. ':state:' .. state, 0, id) end
end

local function flush()
  for _, name in ipairs(order) do
    local one = pushes[name]
    local ids = idsOf(one.lane, one.line)
    each(one.ids, 1000, function(...) redis.call('RPUSH', ids, ...) end)
    local turn = tonumber(redis.call('HGET', P .. ':turns', one.queue) or 0)
    redis.call('ZADD', lanesOf(one.queue, one.line), 'NX', rank(one.priority, turn), one.lane)
  end
  for field, n in pairs(counts) do
    if n ~= 0 then redis.call('HINCRBY', P .. ':counts', field, n) end
  end
  if soonest then tell('d\\t' .. math.ceil(soonest)) end
  if #news > 0 then redis.call('PUBLISH', P .. ':news', table.concat(news, '\\n')) end
end
`

/**
 * Redis refuses a script whose first write may need memory when there is none, and lets one go on that has written already. What takes
 * jobs and ends them has to go on: nothing else makes room.
 */
const goOn = `redis.call('DEL', P .. ':nothing')
`

/** A script, with what all of them know before it. `whenFull`: it runs also when the memory of Redis is full. Default false. */
export function script(body: string, { whenFull = false }: { readonly whenFull?: boolean } = {}): RedisScript {
  const text = prelude + (whenFull ? goOn : '') + body
  return { text, sha: createHash('sha1').update(text).digest('hex') }
}
