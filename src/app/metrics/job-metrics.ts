import type { PlimsollEvent } from '../../core/events.ts'
import type { Counters } from './counters.ts'
import type { Family, Value } from './family.ts'
import type { Histogram } from './histogram.ts'

/** Upper bounds of the buckets, in seconds: from a job that does nothing to a film that is cut into pieces. */
const bounds = [0.005, 0.025, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600] as const

const labels = ['queue', 'name'] as const

/** What jobs are counted by. */
export interface JobCounts {
  readonly enqueued: Family<Value>
  readonly started: Family<Value>
  readonly ended: Family<Value>
  readonly running: Family<Value>
  readonly runTime: Family<Histogram>
  readonly waitTime: Family<Histogram>
  readonly deaths: Family<Value>
  readonly blocked: Family<Value>
  readonly blockedTime: Family<Value>
  readonly losses: Family<Value>
}

/** Makes the counters of jobs. */
export function jobMetrics({ counter, gauge, histogram }: Counters): JobCounts {
  return {
    enqueued: counter(
      'plimsoll_jobs_enqueued_total',
      'Jobs that were enqueued, or dropped because another holds their key.',
      [...labels, 'duplicate'],
    ),
    started: counter('plimsoll_jobs_started_total', 'Runs of jobs that began.', labels),
    ended: counter('plimsoll_jobs_ended_total', 'Runs of jobs that ended.', [...labels, 'outcome']),
    running: gauge('plimsoll_jobs_running', 'Jobs that run in this process.', labels),
    runTime: histogram('plimsoll_job_run_duration_seconds', 'How long runs of jobs took.', labels, bounds),
    waitTime: histogram(
      'plimsoll_job_wait_duration_seconds',
      'From enqueueing a job to the start of its first attempt.',
      labels,
      bounds,
    ),
    deaths: counter('plimsoll_job_deaths_total', 'Jobs whose worker has died, as this process found out.', [
      ...labels,
      'quarantined',
    ]),
    blocked: counter('plimsoll_job_loop_blocks_total', 'Times that the event loop of this worker was blocked.'),
    blockedTime: counter(
      'plimsoll_job_loop_blocked_seconds_total',
      'How long the event loop of this worker was blocked, all times together.',
    ),
    losses: counter(
      'plimsoll_job_losses_total',
      'Times that a broker had lost its jobs, as this process found out.',
      ['engine'],
      [['redis']],
    ),
  }
}

/** Counts an event of jobs. */
export function countJob(event: PlimsollEvent, to: JobCounts): void {
  switch (event.type) {
    case 'job.enqueue':
      to.enqueued.of(event.queue, event.name, event.duplicate).value++
      return
    case 'job.start':
      to.started.of(event.queue, event.name).value++
      to.running.of(event.queue, event.name).value++
      // Later attempts have waited for their backoff.
      if (event.attempt === 1) to.waitTime.of(event.queue, event.name).observe(event.waitedMs)
      return
    case 'job.end': {
      const running = to.running.of(event.queue, event.name)
      // It may have begun before anybody counted.
      running.value = Math.max(0, running.value - 1)
      to.ended.of(event.queue, event.name, event.outcome).value++
      to.runTime.of(event.queue, event.name).observe(event.durationMs)
      return
    }
    case 'job.death':
      to.deaths.of(event.queue, event.name, event.quarantined).value++
      return
    case 'job.blocked':
      to.blocked.only.value++
      to.blockedTime.only.value += event.blockedMs / 1000
      return
    case 'job.loss':
      to.losses.of(event.engine).value++
  }
}
