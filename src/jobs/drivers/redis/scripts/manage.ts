import { script } from './script.ts'

/** What is known of jobs, a list of fields and values each; empty for one that is unknown, or whose time to be kept is over. */
export const readJobs = script(`
local answer = {}
for at, given in ipairs(ARGV) do
  local id = jobOf(given)
  local fields = redis.call('HGETALL', key(id))
  local over = false
  for field = 1, #fields, 2 do
    if fields[field] == 'xa' and tonumber(fields[field + 1]) <= now then over = true end
  end
  answer[at] = over and {} or fields
  if #answer[at] > 0 then table.insert(answer[at], 'id'); table.insert(answer[at], id) end
end
return answer
`)

/** Has what becomes of a job announced. The answer: the id it is announced by, or nothing when it has ended, or is unknown. */
export const watchJob = script(`
local id = jobOf(ARGV[1])
local state = redis.call('HGET', key(id), 's')
if state ~= 'waiting' and state ~= 'delayed' and state ~= 'active' and state ~= 'parked' then return '' end
redis.call('HSET', key(id), 'wt', '1')
return id
`)

/** Ends jobs that wait, and marks those that run; a key that is held until an end is free at once. How many it were. */
export const cancelJobs = script(
  `
local cancelled = 0
for _, given in ipairs(ARGV) do
  local id = jobOf(given)
  local state, queue, unique, uniqueUntil, watched, relayed, marked =
    unpack(redis.call('HMGET', key(id), 's', 'q', 'u', 'uu', 'wt', 'rl', 'x'))
  if state == 'active' then
    if not marked then
      redis.call('HSET', key(id), 'x', '1')
      if unique and not uniqueUntil then
        release(unique, id)
        redis.call('HSET', key(id), 'en', unique)
        redis.call('SET', P .. ':ending:' .. unique, id)
      end
      tell('c\\t' .. id)
      cancelled = cancelled + 1
    end
  elseif state == 'waiting' or state == 'delayed' or state == 'parked' or state == 'quarantined' then
    count(queue, state, -1)
    if state == 'delayed' then redis.call('ZREM', P .. ':delayed', id) end
    redis.call('ZREM', P .. ':state:' .. state, id)
    finish(id, 'cancelled', day, { queue = queue, unique = unique, uniqueUntil = uniqueUntil, watched = watched, relayed = relayed }, {})
    cancelled = cancelled + 1
  end
end
flush()
return cancelled
`,
  { whenFull: true },
)

/** Puts a job back to its lane that waits for somebody to do so, or has ended. */
const putBack = `
local function putBack(id, state, queue, deaths)
  local priority, limit, tenant = unpack(redis.call('HMGET', key(id), 'p', 'l', 't'))
  redis.call('HSET', key(id), 's', 'waiting')
  redis.call('HDEL', key(id), 'ea', 'xa', 'x', 'en')
  redis.call('ZREM', P .. ':state:' .. state, id)
  redis.call('ZREM', P .. ':expires', id)
  redis.call('ZREM', P .. ':delayed', id)
  count(queue, state, -1)
  count(queue, 'waiting', 1)
  push(id, queue, priority, limit, tenant, deaths)
end
`

/**
 * Puts jobs that fit back to their lanes, with all their attempts: what must fit, as JSON, and then ids. How many it were.
 */
export const redriveJobs = script(`${putBack}
local filter = cjson.decode(ARGV[1])
local function fits(list, value)
  if list == cjson.null then return true end
  for _, one in ipairs(list) do if one == value then return true end end
  return false
end
local redriven = 0
for at = 2, #ARGV do
  local id = ARGV[at]
  local state, name, queue, tenant = unpack(redis.call('HMGET', key(id), 's', 'n', 'q', 't'))
  if (state == 'failed' or state == 'parked' or state == 'quarantined' or state == 'cancelled') and fits(filter.states, state) and fits(filter.names, name)
    and fits(filter.queues, queue) and fits(filter.tenants, tenant) then
    redis.call('HSET', key(id), 'a', 0, 'd', 0)
    redis.call('HDEL', key(id), 'pr')
    putBack(id, state, queue, 0)
    redriven = redriven + 1
  end
end
flush()
return redriven
`)

/**
 * Puts parked jobs back to their lanes that a worker knows, of its queues, with the attempts and deaths that they have had. ARGV: its queues, and
 * the versions that it knows by name, as JSON; the id behind which it looks, empty for the first; at how many. What they are to work on is not
 * read: that may be much. The answer: how many went, and the id to go on behind, empty at the end.
 */
export const unparkJobs = script(`${putBack}
local known, most = cjson.decode(ARGV[1]), tonumber(ARGV[3])
local parked = redis.call('ZRANGEBYLEX', P .. ':state:parked', ARGV[2] == '' and '-' or '(' .. ARGV[2], '+', 'LIMIT', 0, most)
local back = 0
for _, id in ipairs(parked) do
  local state, name, version, queue, deaths = unpack(redis.call('HMGET', key(id), 's', 'n', 'v', 'q', 'd'))
  local highest = known.versions[name]
  if state == 'parked' and known.queues[queue] and highest and tonumber(version) <= highest then
    putBack(id, state, queue, deaths)
    back = back + 1
  end
end
flush()
return { back, #parked == most and parked[most] or '' }
`)
