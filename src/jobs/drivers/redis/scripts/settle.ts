import { script } from './script.ts'

/**
 * Says what came of runs of a worker process: its id, then for each run its job, its number, the state, the output or error, how long
 * the job waits or is kept, and how far the run came, or nothing. The answer has a 1 for each run that still had its lease, also when this was said before.
 */
export const settleRuns = script(
  `
local worker = ARGV[1]
local answer, ended = {}, {}
for at = 2, #ARGV, 6 do
  local id, epoch, state, text, ms, progress = unpack(ARGV, at, at + 5)
  ms = tonumber(ms)
  local f = redis.call('HMGET', key(id), 's', 'w', 'ep', 'q', 'p', 'l', 't', 'a', 'd', 'u', 'uu', 'x', 'wt', 'rl', 'ls', 'en')
  local run = worker .. ':' .. epoch
  if f[1] ~= 'active' or f[2] ~= worker or f[3] ~= epoch then
    answer[#answer + 1] = f[15] == run and 1 or 0
  else
    answer[#answer + 1] = 1
    ended[#ended + 1] = id
    local queue = f[4]
    count(queue, 'active', -1)
    if f[6] then
      redis.call('SREM', P .. ':running:' .. f[6], id)
      tell('r\\t' .. queue)
    end
    if f[12] and (state == 'retry' or state == 'released' or state == 'parked') then state, text, ms = 'cancelled', '', day end
    local fields = { 'ls', run }
    if text ~= '' then
      fields[3] = state == 'done' and 'out' or 'err'
      fields[4] = text
    end
    if progress ~= '' then
      fields[#fields + 1] = 'pr'
      fields[#fields + 1] = progress
    end
    if state == 'released' or state == 'parked' then
      fields[#fields + 1] = 'a'
      fields[#fields + 1] = f[8] - 1
    end
    local function store(...)
      if f[13] then tell('p\\t' .. id) end
      for _, value in ipairs({ ... }) do fields[#fields + 1] = value end
      redis.call('HSET', key(id), unpack(fields))
    end
    if state == 'retry' and ms > 0 then
      store('s', 'delayed', 'du', now + ms)
      count(queue, 'delayed', 1)
      delay(id, ms)
    elseif state == 'retry' or state == 'released' then
      store('s', 'waiting')
      count(queue, 'waiting', 1)
      push(id, queue, f[5], f[6], f[7], f[9])
    elseif state == 'parked' then
      store('s', 'parked')
      count(queue, 'parked', 1)
      redis.call('ZADD', P .. ':state:parked', 0, id)
    else
      finish(id, state, ms, { queue = queue, unique = f[10], uniqueUntil = f[11], ending = f[16], watched = f[13], relayed = f[14] }, fields)
    end
  end
end
each(ended, 1000, function(...) redis.call('SREM', P .. ':worker:' .. worker, ...) end)
flush()
return answer
`,
  { whenFull: true },
)

/** Stores how far runs are: a worker process, then for each run its job, its number, and the progress. */
export const storeProgress = script(`
for at = 2, #ARGV, 3 do
  local id = ARGV[at]
  local state, worker, epoch, watched = unpack(redis.call('HMGET', key(id), 's', 'w', 'ep', 'wt'))
  if state == 'active' and worker == ARGV[1] and epoch == ARGV[at + 1] then
    redis.call('HSET', key(id), 'pr', ARGV[at + 2])
    if watched then tell('p\\t' .. id) end
  end
end
flush()
return 1
`)
