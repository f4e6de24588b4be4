import type { Attributes, Context, Span, SpanOptions } from '@opentelemetry/api'
import { observe, type PlimsollEvent } from '../../core/events.ts'
import { createSummarizer, type StatementSummary } from './statement-summary.ts'
import type { TracingParts } from './tracing-parts.ts'

/** What an event becomes. */
interface EventSpan {
  readonly name: string
  readonly durationMs: number
  readonly attributes: Attributes
  readonly client?: boolean | undefined
  /** What kind of failure it was. */
  readonly error?: string | undefined
}

/**
 * Makes spans of the events that take time, as children of the span that was active where they were published, and puts the
 * others on that span. Outside any trace there are none: a span for each statement of a poller tells nobody anything.
 * Returns what ends it.
 */
export function traceEvents(parts: TracingParts): () => void {
  const { api } = parts
  const summarize = createSummarizer()
  return observe((event) => {
    const context = api.context.active()
    const parent = api.trace.getSpan(context)
    // Sampled, not recording: what is loaded behind an answer belongs to its trace, though its span has ended.
    if (!parent || (parent.spanContext().traceFlags & api.TraceFlags.SAMPLED) === 0) return
    try {
      const span = toSpan(event, summarize)
      if (span) record(span, context, parts)
      else note(event, parent)
    } catch (error) {
      // An exporter of somebody's own may throw, which out of a subscriber would end the process.
      api.diag.error('A span could not be made.', error)
    }
  })
}

function record(span: EventSpan, context: Context, { api, tracer, now }: TracingParts): void {
  const end = now()
  const options: SpanOptions = {
    kind: span.client ? api.SpanKind.CLIENT : api.SpanKind.INTERNAL,
    startTime: end - span.durationMs,
    attributes: span.error === undefined ? span.attributes : { ...span.attributes, 'error.type': span.error },
  }
  const made = tracer.startSpan(span.name, options, context)
  if (span.error !== undefined) made.setStatus({ code: api.SpanStatusCode.ERROR })
  made.end(end)
}

function toSpan(event: PlimsollEvent, summarize: (sql: string) => StatementSummary): EventSpan | undefined {
  switch (event.type) {
    case 'statement':
      return statementSpan(event, summarize(event.text))
    case 'transaction':
      return {
        name: 'transaction',
        durationMs: event.durationMs,
        attributes: { 'plimsoll.transaction.outcome': event.outcome, 'plimsoll.transaction.attempt': event.attempt },
      }
    case 'connection.open':
      return {
        name: 'connection.open',
        durationMs: event.durationMs,
        attributes: { 'db.system.name': 'postgresql', 'plimsoll.connection.purpose': event.purpose },
        client: true,
      }
    case 'cache.load':
      return {
        name: 'cache.load',
        durationMs: event.durationMs,
        attributes: { ...cacheAttributes(event), 'plimsoll.cache.outcome': event.outcome },
        // Its message may say anything.
        error: event.outcome === 'failed' ? 'load_failed' : undefined,
      }
    case 'cache.wait':
      return { name: 'cache.wait', durationMs: event.durationMs, attributes: cacheAttributes(event) }
    case 'cache.bump':
      return {
        name: 'cache.bump',
        durationMs: event.durationMs,
        attributes: { 'plimsoll.cache.tags': event.tags.length, 'plimsoll.cache.outcome': event.outcome },
      }
    case 'outbox.relay':
      return {
        name: 'outbox.relay',
        durationMs: 0,
        attributes: {
          'plimsoll.outbox.kind': event.kind,
          'plimsoll.outbox.items': event.items,
          'plimsoll.outbox.late': event.late,
        },
        error: event.error === undefined ? undefined : 'relay_failed',
      }
    default:
      return undefined
  }
}

function statementSpan(
  event: Extract<PlimsollEvent, { type: 'statement' }>,
  { operation, summary, text }: StatementSummary,
): EventSpan {
  const attributes: Attributes = {
    'db.system.name': 'postgresql',
    'db.operation.name': operation,
    'db.query.summary': summary,
    'db.query.text': text,
    'plimsoll.statement.rows': event.rows,
  }
  if (event.error !== undefined) attributes['db.response.status_code'] = event.error
  return { name: summary, durationMs: event.durationMs, attributes, client: true, error: event.error }
}

/** Hits and misses are too many, and too short, for spans of their own. */
function note(event: PlimsollEvent, parent: Span): void {
  if ((event.type !== 'cache.hit' && event.type !== 'cache.miss') || !parent.isRecording()) return
  const attributes = cacheAttributes(event)
  if (event.type === 'cache.hit') {
    attributes['plimsoll.cache.tier'] = event.tier
    attributes['plimsoll.cache.stale'] = event.stale
  }
  parent.addEvent(event.type, attributes)
}

/** The part of a key before its first colon; the rest may name a person. */
function cacheAttributes({ key }: { readonly key: string }): Attributes {
  const colon = key.indexOf(':')
  return colon < 0 ? {} : { 'plimsoll.cache.namespace': key.slice(0, colon) }
}
