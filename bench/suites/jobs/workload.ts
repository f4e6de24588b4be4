/** One row of the results. */
export interface JobWorkload {
  readonly name: string
  readonly title: string
  /** The contestant that is 1.00: the bare library on the same server. */
  readonly reference: string
  readonly contestants: readonly string[]
  readonly server: 'postgres' | 'redis' | 'rabbitmq'
  readonly measures: 'drain' | 'add' | 'add-in-transaction' | 'start-latency'
  /** How many jobs run at a time. */
  readonly concurrency: number
  /** How many processes work, each with so many at a time. Default 1. */
  readonly processes?: number
  readonly batched: boolean
  readonly workMs: number
  /** How many jobs wait before a round begins. */
  readonly backlog: number
  /** True while another session keeps a snapshot open for all of the workload. */
  readonly heldTransaction?: boolean
}

const onPostgres = ['plimsoll-database', 'pg-boss', 'graphile-worker', 'bullmq-postgres']
const manyTogether = ['plimsoll-database', 'pg-boss', 'graphile-worker']
const onRedis = ['plimsoll-redis', 'bullmq', 'celery-redis']
const onRabbitmq = ['plimsoll-rabbitmq', 'amqplib', 'celery-rabbitmq']
const redis = { server: 'redis', reference: 'bullmq', contestants: onRedis } as const
const rabbitmq = { server: 'rabbitmq', reference: 'amqplib', contestants: onRabbitmq } as const
const latency = { measures: 'start-latency', concurrency: 20, batched: false, workMs: 0, backlog: 0 } as const
const drain = { measures: 'drain', batched: false, workMs: 0, backlog: 15_000 } as const

/** In the order of the tables. */
export const jobWorkloads: readonly JobWorkload[] = [
  {
    ...drain,
    name: 'postgres-single',
    title: 'jobs that do nothing, 50 at a time, each acknowledged by itself where the library is driven by hand',
    server: 'postgres',
    reference: 'pg-boss',
    contestants: onPostgres,
    concurrency: 50,
  },
  {
    ...drain,
    name: 'postgres-2-workers',
    title: 'as postgres-single, by two processes',
    server: 'postgres',
    reference: 'pg-boss',
    contestants: onPostgres,
    concurrency: 50,
    processes: 2,
    backlog: 25_000,
  },
  {
    ...drain,
    name: 'postgres-batched',
    title: 'jobs that do nothing, many taken and acknowledged together',
    server: 'postgres',
    reference: 'pg-boss',
    contestants: manyTogether,
    concurrency: 400,
    batched: true,
    backlog: 40_000,
  },
  {
    ...drain,
    name: 'postgres-1ms',
    title: 'jobs of a millisecond, 50 at a time',
    server: 'postgres',
    reference: 'pg-boss',
    contestants: onPostgres,
    concurrency: 50,
    workMs: 1,
  },
  {
    name: 'enqueue-in-transaction',
    title: 'ten thousand jobs in one transaction',
    server: 'postgres',
    measures: 'add-in-transaction',
    reference: 'pg-boss',
    contestants: manyTogether,
    concurrency: 1,
    batched: true,
    workMs: 0,
    backlog: 0,
  },
  {
    ...latency,
    name: 'start-latency',
    title: 'from enqueue to the first line of the handler, one job at a time, nothing else to do',
    server: 'postgres',
    reference: 'pg-boss',
    contestants: onPostgres,
  },
  {
    ...drain,
    name: 'backlog-1m',
    title: 'as postgres-batched, with a million jobs waiting',
    server: 'postgres',
    reference: 'pg-boss',
    contestants: ['plimsoll-database', 'pg-boss'],
    concurrency: 400,
    batched: true,
    backlog: 1_000_000,
  },
  {
    ...drain,
    name: 'held-transaction',
    title: 'as postgres-batched, while another session keeps a transaction open all the time',
    server: 'postgres',
    reference: 'pg-boss',
    contestants: ['plimsoll-database', 'pg-boss'],
    concurrency: 400,
    batched: true,
    backlog: 40_000,
    heldTransaction: true,
  },
  {
    ...drain,
    ...redis,
    name: 'redis-single',
    title: 'jobs that do nothing, 50 at a time',
    concurrency: 50,
    backlog: 30_000,
  },
  {
    ...drain,
    ...redis,
    name: 'redis-2-workers',
    title: 'as redis-single, by two processes',
    concurrency: 50,
    processes: 2,
    backlog: 40_000,
  },
  { ...drain, ...redis, name: 'redis-1ms', title: 'jobs of a millisecond, 50 at a time', concurrency: 50, workMs: 1 },
  {
    ...latency,
    ...redis,
    name: 'redis-latency',
    title: 'from enqueue to the first line of the handler, one job at a time, nothing else to do',
  },
  {
    ...drain,
    ...rabbitmq,
    name: 'rabbitmq-single',
    title: 'jobs that do nothing, 50 at a time, each acknowledged by itself where the library is driven by hand',
    concurrency: 50,
    backlog: 80_000,
  },
  {
    ...drain,
    ...rabbitmq,
    name: 'rabbitmq-batched',
    title: 'jobs that do nothing, 400 at a time, many acknowledged together',
    contestants: ['plimsoll-rabbitmq', 'amqplib'],
    concurrency: 400,
    batched: true,
    backlog: 100_000,
  },
  {
    ...drain,
    ...rabbitmq,
    name: 'rabbitmq-2-workers',
    title: 'as rabbitmq-single, by two processes',
    concurrency: 50,
    processes: 2,
    backlog: 100_000,
  },
  {
    ...drain,
    ...rabbitmq,
    name: 'rabbitmq-1ms',
    title: 'jobs of a millisecond, 50 at a time',
    concurrency: 50,
    workMs: 1,
    backlog: 40_000,
  },
  {
    ...rabbitmq,
    name: 'rabbitmq-enqueue',
    title: 'ten thousand jobs with one call, each confirmed by the broker',
    contestants: ['plimsoll-rabbitmq', 'amqplib'],
    measures: 'add',
    concurrency: 1,
    batched: true,
    workMs: 0,
    backlog: 0,
  },
  {
    ...latency,
    ...rabbitmq,
    name: 'rabbitmq-latency',
    title: 'from enqueue to the first line of the handler, one job at a time, nothing else to do',
  },
]
