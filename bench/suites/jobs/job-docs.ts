import { jobContestants } from '../../contestants/jobs/registry.ts'
import { formatRatios, replaceBlock, type SuiteResult } from '../../harness/report.ts'
import { checkTargets, formatTargets } from '../../harness/targets.ts'
import { jobTargets } from './targets.ts'

/** Writes the tables of the last whole run into `docs/benchmarks.md`. */
export function writeJobDocs(result: SuiteResult): void {
  const { machine, workloads } = result
  const rows = Object.entries(workloads).map(
    ([name, measurements]) =>
      `| ${name} | ${jobContestants.map((key) => measurements[key]?.opsPerS.toLocaleString('en') ?? '–').join(' | ')} |`,
  )
  const latencies = ['start-latency', 'redis-latency', 'rabbitmq-latency']
    .flatMap((workload) => Object.entries(workloads[workload] ?? {}))
    .map(([name, { p50Ms, p99Ms }]) => `| ${name} | ${p50Ms} | ${p99Ms} |`)
  const text = [
    `Measured on ${machine.cores} cores (${machine.cpu}) with ${machine.memoryGb} GB, Node ${machine.node}, PostgreSQL ${machine.postgres} (fsync on), Redis ${machine.redis} (a log, synced each second), RabbitMQ ${machine.rabbitmq} (quorum queues; Celery's are classic ones).`,
    'As a multiple of the contestant with 1.00; larger is better.',
    formatRatios(result, jobContestants),
    'Jobs per second.',
    [`| workload | ${jobContestants.join(' | ')} |`, `| --- |${' ---: |'.repeat(jobContestants.length)}`, ...rows].join(
      '\n',
    ),
    'From enqueue to start, with nothing else to do.',
    ['| contestant | p50, ms | p99, ms |', '| --- | ---: | ---: |', ...latencies].join('\n'),
    formatTargets(checkTargets(result, jobTargets)),
  ].join('\n\n')
  replaceBlock(new URL('../../../docs/benchmarks.md', import.meta.url), 'bench jobs', text)
}
