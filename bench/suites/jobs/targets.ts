import type { Measurement } from '../../harness/measure.ts'
import type { SuiteResult } from '../../harness/report.ts'
import type { Target } from '../../harness/targets.ts'

const own = 'plimsoll-database'

const of =
  (workload: string, read: (measurement: Measurement) => number | undefined, contestant = own) =>
  ({ workloads }: SuiteResult): number | undefined => {
    const measurement = workloads[workload]?.[contestant]
    return measurement && read(measurement)
  }

const opsPerS = (measurement: Measurement): number => measurement.opsPerS

/** How fast a workload is beside another one. */
const beside =
  (workload: string, other: string) =>
  (result: SuiteResult): number | undefined => {
    const [speed, base] = [of(workload, opsPerS)(result), of(other, opsPerS)(result)]
    return speed && base && speed / base
  }

const ratio = (measurement: Measurement): number => measurement.ratio

/** How fast a contestant is beside another one, on one workload. */
const against =
  (workload: string, contestant: string, other: string) =>
  (result: SuiteResult): number | undefined => {
    const [speed, base] = [of(workload, opsPerS, contestant)(result), of(workload, opsPerS, other)(result)]
    return speed && base && speed / base
  }

/** What the suite is for. */
export const jobTargets: readonly Target[] = [
  { text: 'postgres-batched: jobs per second', least: 15_000, value: of('postgres-batched', opsPerS) },
  { text: 'postgres-single: jobs per second', least: 4000, value: of('postgres-single', opsPerS) },
  { text: 'start-latency: p50, ms', most: 10, value: of('start-latency', ({ p50Ms }) => p50Ms) },
  { text: 'enqueue-in-transaction: jobs per second', least: 20_000, value: of('enqueue-in-transaction', opsPerS) },
  { text: 'backlog-1m ÷ postgres-batched', least: 0.8, value: beside('backlog-1m', 'postgres-batched') },
  { text: 'redis-single ÷ BullMQ', least: 0.9, value: of('redis-single', ratio, 'plimsoll-redis') },
  {
    text: 'redis-single ÷ Celery on Redis',
    least: 10,
    value: against('redis-single', 'plimsoll-redis', 'celery-redis'),
  },
  {
    text: 'rabbitmq-batched ÷ amqplib',
    least: 0.7,
    value: of('rabbitmq-batched', ratio, 'plimsoll-rabbitmq'),
  },
  { text: 'rabbitmq-single ÷ amqplib', least: 0.7, value: of('rabbitmq-single', ratio, 'plimsoll-rabbitmq') },
  {
    text: 'rabbitmq-single ÷ Celery on RabbitMQ',
    least: 10,
    value: against('rabbitmq-single', 'plimsoll-rabbitmq', 'celery-rabbitmq'),
  },
  { text: 'held-transaction ÷ postgres-batched', least: 0.8, value: beside('held-transaction', 'postgres-batched') },
]
