import type { JobState } from '../../contract.ts'
import type { RedisLink } from './redis-link.ts'

/** The ids of the jobs in these states, the newest first, and with them some that have left one of them meanwhile. */
export async function listIds(link: RedisLink, states: readonly JobState[]): Promise<string[]> {
  const lists = await Promise.all(states.map((state) => idsOf(link, state)))
  return [...new Set(lists.flat())].toSorted().toReversed()
}

async function idsOf(link: RedisLink, state: JobState): Promise<readonly string[]> {
  const { prefix } = link
  switch (state) {
    case 'failed':
    case 'parked':
    case 'quarantined':
      return range(link, `${prefix}:state:${state}`)
    case 'delayed':
      return range(link, `${prefix}:delayed`)
    case 'done':
    case 'cancelled':
      return range(link, `${prefix}:expires`)
    case 'active': {
      const workers = await range(link, `${prefix}:workers`)
      const sets = await Promise.all(workers.map((worker) => link.command('SMEMBERS', `${prefix}:worker:${worker}`)))
      return (sets as readonly (readonly string[])[]).flat()
    }
    case 'waiting':
      return waiting(link)
  }
}

async function waiting(link: RedisLink): Promise<readonly string[]> {
  const { prefix } = link
  const fields = (await link.command('HKEYS', `${prefix}:counts`)) as readonly string[]
  const queues = new Set(fields.map((field) => field.slice(field.indexOf(':') + 1)))
  const lists: Promise<unknown>[] = []
  for (const queue of queues) {
    for (const lane of await range(link, `${prefix}:ready:${queue}`))
      lists.push(link.command('LRANGE', `${prefix}:lane:${lane}`, 0, -1))
    for (const lane of await range(link, `${prefix}:suspects:${queue}`))
      lists.push(link.command('LRANGE', `${prefix}:suspect:${lane}`, 0, -1))
    for (const lane of await range(link, `${prefix}:primes:${queue}`))
      lists.push(link.command('LRANGE', `${prefix}:prime:${lane}`, 0, -1))
  }
  return ((await Promise.all(lists)) as readonly (readonly string[])[]).flat()
}

async function range(link: RedisLink, name: string): Promise<readonly string[]> {
  return (await link.command('ZRANGE', name, 0, -1)) as readonly string[]
}
