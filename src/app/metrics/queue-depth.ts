import type { Jobs } from '../../jobs/index.ts'
import { Family, Value } from './family.ts'

/** How old the numbers may be, in milliseconds: several scrapers ask the database once. */
const keptMs = 5000
/** How long a scrape waits for them; then the last ones are served. */
const patienceMs = 1000

/** How many jobs there are in the queues: the only numbers that are not this process's own. */
export interface QueueDepth {
  readonly families: readonly Family<Value>[]
  /** Asks for the numbers when they are old. Does not reject: a database that is away must not keep the others from being seen. */
  refresh(): Promise<void>
}

/** Watches the queues of an application. */
export function openQueueDepth(jobs: Pick<Jobs, 'depths'>): QueueDepth {
  const depth = new Family({
    name: 'plimsoll_jobs',
    help: 'Jobs that have not ended, or are stuck; an estimate where there are more than 10000 of a kind.',
    type: 'gauge',
    labels: ['queue', 'state'],
    make: () => new Value(),
  })
  let readAt = Number.NEGATIVE_INFINITY
  let reading: Promise<void> | undefined
  const read = async (): Promise<void> => {
    try {
      const counts = await jobs.depths()
      // What is not named any more is there no more.
      for (const { point } of depth.samples) point.value = 0
      for (const { queue, state, count } of counts) depth.of(queue, state).value = count
    } catch {
      // They are served as they were.
    }
    readAt = performance.now()
    reading = undefined
  }
  return {
    families: [depth],
    async refresh() {
      if (performance.now() - readAt < keptMs) return
      reading ??= read()
      let timer: NodeJS.Timeout | undefined
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, patienceMs)
      })
      await Promise.race([reading, late])
      clearTimeout(timer)
    },
  }
}
