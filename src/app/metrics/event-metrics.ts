import type { PlimsollEvent } from '../../core/events.ts'
import { counting, type Counters } from './counters.ts'
import type { AnyFamily } from './exposition.ts'
import type { Family, Value } from './family.ts'
import type { Histogram } from './histogram.ts'
import { countJob, jobMetrics, type JobCounts } from './job-metrics.ts'

/** Counts of events. */
export interface EventMetrics {
  readonly families: readonly AnyFamily[]
  /** Counts an event: a few look-ups and additions, and no string but the namespace of a cache's key. */
  count(event: PlimsollEvent): void
}

/** Makes the counters and histograms of everything observable, all at zero. */
export function createEventMetrics(): EventMetrics {
  const families: AnyFamily[] = []
  const counters = counting(families)
  const counts = {
    ...cacheMetrics(counters),
    ...databaseMetrics(counters),
    relayed: counters.counter('plimsoll_outbox_relayed_total', 'Effects carried out after their commit.', [
      'kind',
      'late',
      'outcome',
    ]),
    ...cdnMetrics(counters),
    jobs: jobMetrics(counters),
    requests: counters.counter('plimsoll_http_requests_total', 'HTTP requests answered.', [
      'method',
      'route',
      'status',
    ]),
    requestTime: counters.histogram('plimsoll_http_request_duration_seconds', 'From a request to its answer.', [
      'method',
      'route',
    ]),
  }
  return { families, count: (event) => count(event, counts) }
}

function cacheMetrics({ counter, gauge, histogram }: Counters) {
  const tiers = ['local', 'shared'].flatMap((tier) => [false, true].map((stale) => [tier, stale]))
  return {
    hits: counter('plimsoll_cache_hits_total', 'Values served from the cache.', ['tier', 'stale'], tiers),
    misses: counter('plimsoll_cache_misses_total', 'Reads that found nothing in the cache.'),
    reads: counter('plimsoll_cache_reads_total', 'Reads by the part of the key before its first colon.', [
      'namespace',
      'result',
    ]),
    loads: counter(
      'plimsoll_cache_loads_total',
      'Loaders that ran.',
      ['outcome'],
      [['filled'], ['refused'], ['failed']],
    ),
    loadTime: histogram('plimsoll_cache_load_duration_seconds', 'How long loaders ran.'),
    waits: counter('plimsoll_cache_waits_total', "Reads that waited for somebody else's load."),
    waitTime: histogram('plimsoll_cache_wait_duration_seconds', "How long reads waited for somebody else's load."),
    bumps: counter('plimsoll_cache_bumps_total', 'Invalidations.', ['outcome'], [['done'], ['pending']]),
    bumpedTags: counter('plimsoll_cache_bumped_tags_total', 'Tags that were invalidated.'),
    evictions: counter('plimsoll_cache_evictions_total', 'Entries that left the local tier to make room.'),
    up: gauge('plimsoll_cache_up', 'Whether a cache server can be reached: 1, or 0.', ['engine', 'server']),
  }
}

function cdnMetrics({ counter, histogram }: Counters) {
  const labels = ['provider', 'by']
  return {
    purges: counter('plimsoll_cdn_purges_total', 'Purges of a CDN.', [...labels, 'outcome']),
    purged: counter('plimsoll_cdn_purged_total', 'Tags and addresses that were purged at a CDN.', labels),
    purgeTime: histogram(
      'plimsoll_cdn_purge_duration_seconds',
      'How long purges of a CDN took, their waiting included.',
      labels,
    ),
  }
}

function databaseMetrics({ counter, gauge, histogram }: Counters) {
  const connections = gauge('plimsoll_connections', 'Open connections to the database.', ['purpose'])
  for (const purpose of ['shared', 'transaction', 'listen']) connections.of(purpose)
  const ends = [['commit'], ['rollback']]
  return {
    statements: counter('plimsoll_statements_total', 'SQL statements.', ['outcome'], [['done'], ['failed']]),
    statementTime: histogram('plimsoll_statement_duration_seconds', 'From sending a statement to its last row.'),
    rows: counter('plimsoll_statement_rows_total', 'Rows that statements sent or changed.'),
    transactions: counter('plimsoll_transactions_total', 'Transactions, retries included.', ['outcome'], ends),
    transactionTime: histogram('plimsoll_transaction_duration_seconds', 'How long transactions were open.'),
    connections,
    retries: counter('plimsoll_connection_retries_total', 'Connections that could not be opened and are tried again.'),
    passed: counter('plimsoll_replica_passed_total', 'Reads for a replica that the primary answered.', [
      'replica',
      'reason',
    ]),
  }
}

type Counts = ReturnType<typeof cacheMetrics> &
  ReturnType<typeof cdnMetrics> &
  ReturnType<typeof databaseMetrics> & {
    readonly relayed: Family<Value>
    readonly jobs: JobCounts
    readonly requests: Family<Value>
    readonly requestTime: Family<Histogram>
  }

function count(event: PlimsollEvent, to: Counts): void {
  switch (event.type) {
    case 'statement':
      to.statements.of(event.error === undefined ? 'done' : 'failed').value++
      to.statementTime.only.observe(event.durationMs)
      to.rows.only.value += event.rows
      return
    case 'request':
      to.requests.of(event.method, event.route, event.status).value++
      to.requestTime.of(event.method, event.route).observe(event.durationMs)
      return
    case 'transaction':
      to.transactions.of(event.outcome).value++
      to.transactionTime.only.observe(event.durationMs)
      return
    case 'connection.open':
      to.connections.of(event.purpose).value++
      return
    case 'connection.close': {
      const open = to.connections.of(event.purpose)
      // It may have been opened before anybody counted.
      open.value = Math.max(0, open.value - 1)
      return
    }
    case 'connection.retry':
      to.retries.only.value++
      return
    case 'outbox.relay':
      to.relayed.of(event.kind, event.late, event.error === undefined ? 'done' : 'failed').value += event.items
      return
    case 'cdn.purge':
      to.purges.of(event.provider, event.by, event.outcome).value++
      to.purgeTime.of(event.provider, event.by).observe(event.durationMs)
      if (event.outcome === 'done') to.purged.of(event.provider, event.by).value += event.items
      return
    case 'replica.passed':
      to.passed.of(event.replica, event.reason).value++
      return
    default:
      if (event.type.startsWith('job.')) countJob(event, to.jobs)
      else countCache(event, to)
  }
}

function countCache(event: PlimsollEvent, to: Counts): void {
  switch (event.type) {
    case 'cache.hit':
      to.hits.of(event.tier, event.stale).value++
      to.reads.of(namespaceOf(event.key), event.stale ? 'stale' : 'hit').value++
      return
    case 'cache.miss':
      to.misses.only.value++
      to.reads.of(namespaceOf(event.key), 'miss').value++
      return
    case 'cache.load':
      to.loads.of(event.outcome).value++
      to.loadTime.only.observe(event.durationMs)
      return
    case 'cache.wait':
      to.waits.only.value++
      to.waitTime.only.observe(event.durationMs)
      return
    case 'cache.bump':
      to.bumps.of(event.outcome).value++
      to.bumpedTags.only.value += event.tags.length
      return
    case 'cache.evict':
      to.evictions.only.value++
      return
    case 'cache.state':
      to.up.of(event.engine, event.server ?? '').value = event.state === 'up' ? 1 : 0
  }
}

/** Keys are as many as there are things; what stands before the first colon is chosen by whoever wrote the program. */
function namespaceOf(key: string): string {
  const colon = key.indexOf(':')
  return colon < 0 ? '' : key.slice(0, colon)
}
