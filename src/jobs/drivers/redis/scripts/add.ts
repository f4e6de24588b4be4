import type { NewJob } from '../../../contract.ts'
import { script } from './script.ts'

const body = `
local answer = {}
for at = 1, #ARGV, 17 do
  local id, name, version, queue, priority, tenant, input, delayMs, unique, ends, replace, limit, owner, trace, step, relayed, moment =
    unpack(ARGV, at, at + 16)
  delayMs = moment == '' and tonumber(delayMs) or tonumber(moment) - now
  local there = redis.call('EXISTS', key(id)) == 1 and id
  if not there and relayed == '1' then there = redis.call('GET', P .. ':gone:' .. id) end
  local holder = not there and unique ~= '' and redis.call('GET', P .. ':unique:' .. unique)
  -- A key without an end is its job's; where that is gone, the key is free.
  if holder and redis.call('EXISTS', key(holder)) == 0 and redis.call('PTTL', P .. ':unique:' .. unique) < 0 then holder = false end
  if holder then
    there = holder
    if relayed == '1' then redis.call('SET', P .. ':gone:' .. id, holder, 'PX', day) end
    if replace == '1' then
      local state, oldQueue, oldPriority, oldLimit, oldTenant, deaths =
        unpack(redis.call('HMGET', key(holder), 's', 'q', 'p', 'l', 't', 'd'))
      if state == 'waiting' or state == 'delayed' then
        redis.call('HSET', key(holder), 'i', input, 'v', version, 'tr', trace)
        count(oldQueue, state, -1)
        if delayMs > 0 then
          redis.call('HSET', key(holder), 's', 'delayed', 'du', now + delayMs)
          count(oldQueue, 'delayed', 1)
          delay(holder, delayMs)
        else
          redis.call('HSET', key(holder), 's', 'waiting')
          redis.call('HDEL', key(holder), 'du')
          count(oldQueue, 'waiting', 1)
          if state == 'delayed' then
            redis.call('ZREM', P .. ':delayed', holder)
            push(holder, oldQueue, oldPriority, oldLimit, oldTenant, deaths)
          end
        end
      end
    end
  end
  if not there then
    local state = delayMs > 0 and 'delayed' or 'waiting'
    local fields = { 's', state, 'n', name, 'v', version, 'q', queue, 'p', priority, 't', tenant, 'i', input, 'c', now, 'a', 0, 'd', 0, 'ep', 0 }
    local function set(field, value)
      if value ~= '' then fields[#fields + 1] = field; fields[#fields + 1] = value end
    end
    set('l', limit); set('o', owner); set('tr', trace); set('st', step); set('u', unique)
    if relayed == '1' then set('rl', '1') end
    if unique ~= '' then
      if ends == 'started' then set('us', '1') end
      local window = tonumber(ends)
      if window then
        set('uu', now + window)
        redis.call('SET', P .. ':unique:' .. unique, id, 'PX', math.max(1, math.ceil(window)))
      else
        redis.call('SET', P .. ':unique:' .. unique, id)
      end
    end
    if delayMs > 0 then
      set('du', now + delayMs)
      delay(id, delayMs)
    else
      push(id, queue, priority, limit, tenant, 0)
    end
    redis.call('HSET', key(id), unpack(fields))
    count(queue, state, 1)
  end
  answer[#answer + 1] = there or ''
end
flush()
return answer
`

/**
 * Stores jobs. The answer has an element for each: empty when it was stored, else the id of the job that is there. The id of a job that
 * the relay hands on, and whose key another one holds, stands for that one for a day.
 */
export const addJobs = script(body)
/** As `addJobs`, for jobs that belong to others that were stored already, in the same transaction. */
export const addMoreJobs = script(body, { whenFull: true })

/** The arguments of {@link addJobs}. */
export function toArguments(jobs: readonly NewJob[]): string[] {
  return jobs.flatMap((job) => {
    const { unique } = job
    const ends =
      unique === undefined ? '' : typeof unique.until === 'object' ? String(unique.until.windowMs) : unique.until
    return [
      job.id,
      job.name,
      String(job.version),
      job.queue,
      String(job.priority),
      job.tenant,
      job.input,
      String(job.delayMs),
      unique?.key ?? '',
      ends,
      unique?.replace === true ? '1' : '0',
      job.limit ?? '',
      job.owner ?? '',
      job.trace ?? '',
      job.step ?? '',
      job.relayed === true ? '1' : '0',
      job.at === undefined ? '' : String(job.at),
    ]
  })
}
