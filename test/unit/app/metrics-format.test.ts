import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createEventMetrics } from '../../../src/app/metrics/event-metrics.ts'
import { writeExposition, type ExpositionFormat } from '../../../src/app/metrics/exposition.ts'
import { Family, Value } from '../../../src/app/metrics/family.ts'
import { Histogram } from '../../../src/app/metrics/histogram.ts'
import { negotiateFormat } from '../../../src/app/metrics/negotiate-format.ts'
import type { PlimsollEvent } from '../../../src/core/events.ts'
import { parseExposition } from './parse-exposition.ts'

const formats: ExpositionFormat[] = ['text', 'openmetrics']

function counter(name: string, help: string, labels: string[] = [], limit?: number): Family<Value> {
  return new Family({ name, help, labels, limit, type: 'counter', make: () => new Value() })
}

/** The samples of what is counted of some events, each as `name{labels}`, without those that are zero. */
function counted(...events: PlimsollEvent[]): Record<string, number> {
  const metrics = createEventMetrics()
  for (const event of events) metrics.count(event)
  const families = parseExposition(writeExposition(metrics.families, 'text'))
  const samples = [...families.values()].flatMap((family) => family.samples)
  return Object.fromEntries(
    samples
      .filter(({ name, value }) => value !== 0 && !name.endsWith('_bucket'))
      .map(({ name, labels, value }) => {
        const pairs = Object.entries(labels).map(([label, text]) => `${label}=${text}`)
        return [pairs.length === 0 ? name : `${name}{${pairs.join()}}`, value]
      }),
  )
}

describe('the text format', () => {
  test('is written to the letter', () => {
    const hits = counter('hits_total', 'Hits, "all" of them\\\nand more.', ['tier', 'stale'])
    hits.of('local', false).value = 3
    hits.of('a"b\\c\nd', true).value = 0.5
    const time = new Family({ name: 'time_seconds', help: 'Time.', type: 'histogram', make: () => new Histogram() })
    for (const duration of [0.4, 0.5, 3, 1000, 60_000]) time.only.observe(duration)
    const up = new Family({ name: 'up', help: 'Up.', type: 'gauge', make: () => new Value() })
    up.only.value = -Infinity
    expect(writeExposition([hits, time, up], 'text').split('\n')).toEqual([
      String.raw`# HELP hits_total Hits, "all" of them\\\nand more.`,
      '# TYPE hits_total counter',
      'hits_total{tier="local",stale="false"} 3',
      String.raw`hits_total{tier="a\"b\\c\nd",stale="true"} 0.5`,
      '# HELP time_seconds Time.',
      '# TYPE time_seconds histogram',
      'time_seconds_bucket{le="0.0005"} 2',
      'time_seconds_bucket{le="0.001"} 2',
      'time_seconds_bucket{le="0.0025"} 2',
      'time_seconds_bucket{le="0.005"} 3',
      'time_seconds_bucket{le="0.01"} 3',
      'time_seconds_bucket{le="0.025"} 3',
      'time_seconds_bucket{le="0.05"} 3',
      'time_seconds_bucket{le="0.1"} 3',
      'time_seconds_bucket{le="0.25"} 3',
      'time_seconds_bucket{le="0.5"} 3',
      'time_seconds_bucket{le="1"} 4',
      'time_seconds_bucket{le="2.5"} 4',
      'time_seconds_bucket{le="5"} 4',
      'time_seconds_bucket{le="10"} 4',
      'time_seconds_bucket{le="+Inf"} 5',
      'time_seconds_sum 61.0039',
      'time_seconds_count 5',
      '# HELP up Up.',
      '# TYPE up gauge',
      'up -Inf',
      '',
    ])
  })

  test('of OpenMetrics differs in the names of counters, in quotes, in bounds and in its end', () => {
    const hits = counter('hits_total', 'Hits, "all".')
    const time = new Family({ name: 'time_seconds', help: 'Time.', type: 'histogram', make: () => new Histogram() })
    const lines = writeExposition([hits, time], 'openmetrics').split('\n')
    expect(lines.slice(0, 3)).toEqual([String.raw`# HELP hits Hits, \"all\".`, '# TYPE hits counter', 'hits_total 0'])
    expect(lines).toContain('time_seconds_bucket{le="1.0"} 0')
    expect(lines).toContain('time_seconds_bucket{le="2.5"} 0')
    expect(lines.slice(-2)).toEqual(['# EOF', ''])
  })

  test.each(formats)('%s gives every text back that is a label or a help', (format) => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.string({ unit: 'binary' }), { maxLength: 5 }), fc.string(), (values, help) => {
        const family = counter('x_total', help.replaceAll('\r', ''), ['label'])
        for (const value of values) family.of(value).value++
        const parsed = parseExposition(writeExposition([family], format), format)
        const [only] = [...parsed.values()]
        expect(only!.help).toBe(family.help)
        expect(only!.samples.map(({ labels }) => labels['label'])).toEqual(values)
      }),
    )
  })

  test.each(formats)('%s is valid for everything that is counted', (format) => {
    const metrics = createEventMetrics()
    metrics.count({ type: 'request', method: 'GET', route: '/a/:b', status: 200, durationMs: 3 })
    metrics.count({ type: 'request', method: 'GET', route: '/b"\\', status: 200, durationMs: 3 })
    const families = parseExposition(writeExposition(metrics.families, format), format)
    expect(families.size).toBe(metrics.families.length)
  })
})

describe('the parser of these tests', () => {
  test.each([
    ['x 1', 'does not end'],
    ['x 1\n', 'Not a sample'],
    ['# HELP x X.\n# TYPE x counter\nx 1\n', 'is not called x'],
    ['# HELP x X.\n# TYPE x gauge\nx 1\nx 2\n', 'a set of labels twice'],
    ['# HELP x X.\n# TYPE x gauge\nx{a="b\\c"} 1\n', 'no escape'],
    ['# HELP x X.\n# TYPE x gauge\ny 1\n', 'no sample of x'],
    ['# HELP x X.\n# TYPE x gauge\nx one\n', 'No number'],
    ['# HELP x X.\n# TYPE x histogram\nx_bucket{le="1"} 2\nx_bucket{le="+Inf"} 1\nx_sum 1\nx_count 1\n', 'cumulative'],
    ['# HELP x X.\n# TYPE x histogram\nx_bucket{le="1"} 2\nx_sum 1\nx_count 2\n', 'has a bound'],
  ])('refuses %j: %s', (text, why) => {
    expect(() => parseExposition(text)).toThrow(why)
  })
})

describe('a family', () => {
  test('finds what is counted by all its labels, in their order', () => {
    const family = counter('x_total', 'X.', ['a', 'b', 'c'])
    family.of('1', '2', '3').value = 1
    family.of('1', '2', '4').value = 2
    family.of('2', '1', '3').value = 3
    expect(family.of('1', '2', '3').value).toBe(1)
    expect(family.samples.map(({ point }) => point.value)).toEqual([1, 2, 3])
  })

  test('counts what there is no room for under other, and never has more than its limit', () => {
    const family = counter('x_total', 'X.', ['a', 'b'], 3)
    for (const a of ['1', '2', '3', '4', '5']) for (const b of [true, false]) family.of(a, b).value++
    expect(family.samples.map(({ labels, point }) => [...labels, point.value])).toEqual([
      ['1', true, 1],
      ['1', false, 1],
      ['other', 'other', 8],
    ])
    family.of('1', true).value++
    expect(family.of('1', true).value).toBe(2)
  })

  test('has one place for what is called other and for what there is no room for', () => {
    const family = counter('x_total', 'X.', ['a'], 3)
    for (const a of ['other', '1', '2', '3']) family.of(a).value++
    expect(family.samples.map(({ labels, point }) => [...labels, point.value])).toEqual([
      ['other', 3],
      ['1', 1],
    ])
    expect(parseExposition(writeExposition([family], 'text')).size).toBe(1)
  })

  test('has 1000 sets of labels at most where nothing else is said', () => {
    const metrics = createEventMetrics()
    for (let at = 0; at < 5000; at++) {
      metrics.count({ type: 'request', method: 'GET', route: `/${at}`, status: 200, durationMs: 1 })
      metrics.count({ type: 'cache.miss', key: `${at}:1`, tags: [] })
      metrics.count({ type: 'outbox.relay', kind: `kind${at}`, items: 1, late: false })
      metrics.count({ type: 'cache.state', engine: 'redis', server: `${at}`, state: 'up' })
    }
    const families = parseExposition(writeExposition(metrics.families, 'text'))
    const full = ['plimsoll_http_requests_total', 'plimsoll_cache_reads_total', 'plimsoll_outbox_relayed_total']
    for (const name of [...full, 'plimsoll_cache_up']) expect(families.get(name)!.samples.length, name).toBe(1000)
    const requests = families.get('plimsoll_http_requests_total')!.samples
    expect(requests.at(-1)).toMatchObject({ labels: { method: 'other', route: 'other', status: 'other' }, value: 4001 })
  })
})

describe('an event', () => {
  const common = { key: 'fx:eur', tags: [] }

  test.each<[string, PlimsollEvent, Record<string, number>]>([
    [
      'of a statement',
      { type: 'statement', text: 'select 1', parameters: 0, rows: 7, durationMs: 500 },
      {
        'plimsoll_statements_total{outcome=done}': 1,
        plimsoll_statement_duration_seconds_sum: 0.5,
        plimsoll_statement_duration_seconds_count: 1,
        plimsoll_statement_rows_total: 7,
      },
    ],
    [
      'of a failed statement',
      { type: 'statement', text: 'select 1', parameters: 0, rows: 0, durationMs: 0, error: '42601' },
      { 'plimsoll_statements_total{outcome=failed}': 1, plimsoll_statement_duration_seconds_count: 1 },
    ],
    [
      'of a transaction',
      { type: 'transaction', outcome: 'rollback', attempt: 1, durationMs: 2000 },
      {
        'plimsoll_transactions_total{outcome=rollback}': 1,
        plimsoll_transaction_duration_seconds_sum: 2,
        plimsoll_transaction_duration_seconds_count: 1,
      },
    ],
    [
      'of a connection',
      { type: 'connection.open', purpose: 'shared', durationMs: 1 },
      { 'plimsoll_connections{purpose=shared}': 1 },
    ],
    [
      'of a lost connection',
      { type: 'connection.retry', attempt: 1, delayMs: 1, error: 'x' },
      { plimsoll_connection_retries_total: 1 },
    ],
    [
      'of a replica that is behind',
      { type: 'replica.passed', replica: 'postgres://a', reason: 'behind' },
      { 'plimsoll_replica_passed_total{replica=postgres://a,reason=behind}': 1 },
    ],
    [
      'of a hit',
      { type: 'cache.hit', ...common, tier: 'shared', stale: true },
      {
        'plimsoll_cache_hits_total{tier=shared,stale=true}': 1,
        'plimsoll_cache_reads_total{namespace=fx,result=stale}': 1,
      },
    ],
    [
      'of a miss',
      { type: 'cache.miss', ...common },
      { plimsoll_cache_misses_total: 1, 'plimsoll_cache_reads_total{namespace=fx,result=miss}': 1 },
    ],
    [
      'of a load',
      { type: 'cache.load', ...common, durationMs: 250, outcome: 'refused' },
      {
        'plimsoll_cache_loads_total{outcome=refused}': 1,
        plimsoll_cache_load_duration_seconds_sum: 0.25,
        plimsoll_cache_load_duration_seconds_count: 1,
      },
    ],
    [
      'of a wait',
      { type: 'cache.wait', ...common, durationMs: 250 },
      {
        plimsoll_cache_waits_total: 1,
        plimsoll_cache_wait_duration_seconds_sum: 0.25,
        plimsoll_cache_wait_duration_seconds_count: 1,
      },
    ],
    [
      'of an invalidation',
      { type: 'cache.bump', tags: ['a', 'b'], durationMs: 1, outcome: 'pending' },
      { 'plimsoll_cache_bumps_total{outcome=pending}': 1, plimsoll_cache_bumped_tags_total: 2 },
    ],
    ['of an eviction', { type: 'cache.evict', key: 'a', tags: [], bytes: 1 }, { plimsoll_cache_evictions_total: 1 }],
    [
      'of a cache server',
      { type: 'cache.state', engine: 'redis', server: 'a:1', state: 'up' },
      { 'plimsoll_cache_up{engine=redis,server=a:1}': 1 },
    ],
    [
      'of effects',
      { type: 'outbox.relay', kind: 'tags', items: 3, late: true, error: 'x' },
      { 'plimsoll_outbox_relayed_total{kind=tags,late=true,outcome=failed}': 3 },
    ],
    [
      'of a request',
      { type: 'request', method: 'GET', route: '/a/:b', status: 404, durationMs: 1000 },
      {
        'plimsoll_http_requests_total{method=GET,route=/a/:b,status=404}': 1,
        'plimsoll_http_request_duration_seconds_sum{method=GET,route=/a/:b}': 1,
        'plimsoll_http_request_duration_seconds_count{method=GET,route=/a/:b}': 1,
      },
    ],
  ])('%s is counted', (_, event, expected) => {
    expect(counted(event)).toEqual(expected)
  })

  test('of a connection that was open before anybody counted does not make a number below zero', () => {
    expect(counted({ type: 'connection.close', purpose: 'shared' })).toEqual({})
    expect(
      counted(
        { type: 'connection.open', purpose: 'listen', durationMs: 1 },
        { type: 'connection.open', purpose: 'listen', durationMs: 1 },
        { type: 'connection.close', purpose: 'listen' },
      ),
    ).toEqual({ 'plimsoll_connections{purpose=listen}': 1 })
  })

  test('of a cache server that is away sets it to zero', () => {
    const metrics = createEventMetrics()
    for (const state of ['up', 'down'] as const) metrics.count({ type: 'cache.state', engine: 'memcached', state })
    expect(writeExposition(metrics.families, 'text')).toContain('plimsoll_cache_up{engine="memcached",server=""} 0\n')
  })

  test('of a key without a namespace makes no label of the key', () => {
    expect(counted({ type: 'cache.miss', key: 'someone', tags: [] })).toMatchObject({
      'plimsoll_cache_reads_total{namespace=,result=miss}': 1,
    })
  })
})

describe('a scraper', () => {
  test.each([
    [undefined, 'text'],
    ['', 'text'],
    ['*/*', 'text'],
    ['text/plain', 'text'],
    ['text/html,application/xhtml+xml,*/*;q=0.8', 'text'],
    ['application/openmetrics-text', 'openmetrics'],
    ['application/openmetrics-text; version=1.0.0; charset=utf-8', 'openmetrics'],
    ['Application/OpenMetrics-Text; Version="1.0.0"', 'openmetrics'],
    ['application/openmetrics-text;version=0.0.1', 'text'],
    ['application/openmetrics-text;version=1.0.0;q=0', 'text'],
    ['application/openmetrics-text;version=1.0.0;q=0.2,text/plain;version=0.0.4;q=0.5', 'text'],
    ['application/openmetrics-text;version=1.0.0;q=0.2,text/plain;version=1.0.0;q=0.5', 'openmetrics'],
    ['application/openmetrics-text;version=1.0.0;q=much', 'text'],
    [
      'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,' +
        'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,' +
        'text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1',
      'openmetrics',
    ],
  ])('that accepts %j is given %s', (accept, format) => {
    expect(negotiateFormat(accept)).toBe(format)
  })
})
