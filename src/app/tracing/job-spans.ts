import type { Attributes, Link, Span, SpanContext } from '@opentelemetry/api'
import type { LeasedJob, Outcome } from '../../jobs/contract.ts'
import type { JobTracer } from '../../jobs/types.ts'
import type { TracingParts } from './tracing-parts.ts'

/**
 * Makes spans of jobs, after the semantic conventions for messaging (https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/):
 * a PRODUCER span where jobs are enqueued, within the trace of whoever does so, and a CONSUMER span of each run, which begins a trace of
 * its own and is linked to the other. Jobs carry the context as a `traceparent` (https://www.w3.org/TR/trace-context/).
 */
export function jobTracer(parts: TracingParts): JobTracer {
  const { api, tracer, now } = parts
  return {
    async enqueue({ name, queue, count }, store) {
      const outer = api.context.active()
      // Outside any trace nobody looks for one.
      if (api.trace.getSpan(outer) === undefined) return store(undefined)
      const attributes: Attributes = { ...attributesOf(name, queue), ...operation('enqueue', 'send') }
      if (count > 1) attributes['messaging.batch.message_count'] = count
      const span = tracer.startSpan(
        `enqueue ${queue}`,
        { kind: api.SpanKind.PRODUCER, startTime: now(), attributes },
        outer,
      )
      try {
        return await api.context.with(api.trace.setSpan(outer, span), () => store(toTraceparent(span.spanContext())))
      } catch (error) {
        fail(span, codeOf(error), parts)
        throw error
      } finally {
        span.end(now())
      }
    },
    async run(job, run) {
      const { id, name, queue, attempt } = job
      const span = tracer.startSpan(
        `run ${queue}`,
        {
          kind: api.SpanKind.CONSUMER,
          root: true,
          startTime: now(),
          links: linksOf(job),
          attributes: {
            ...attributesOf(name, queue),
            ...operation('run', 'process'),
            'messaging.message.id': id,
            'plimsoll.job.attempt': attempt,
          },
        },
        api.ROOT_CONTEXT,
      )
      try {
        const outcome = await api.context.with(api.trace.setSpan(api.ROOT_CONTEXT, span), run)
        span.setAttribute('plimsoll.job.outcome', outcome.state)
        if (outcome.state === 'failed' || outcome.state === 'retry') fail(span, typeOf(outcome), parts)
        return outcome
      } finally {
        span.end(now())
      }
    },
  }
}

function attributesOf(name: string, queue: string): Attributes {
  return { 'messaging.system': 'plimsoll', 'messaging.destination.name': queue, 'plimsoll.job.name': name }
}

function operation(name: string, type: 'send' | 'process'): Attributes {
  return { 'messaging.operation.name': name, 'messaging.operation.type': type }
}

/** What kind of failure it was; the message may say anything. */
function typeOf({ error }: Extract<Outcome, { state: 'failed' | 'retry' }>): string {
  return error.code ?? error.name
}

function codeOf(error: unknown): string {
  const { code, name } = (error ?? {}) as { readonly code?: unknown; readonly name?: unknown }
  return typeof code === 'string' ? code : typeof name === 'string' ? name : 'Error'
}

function fail(span: Span, type: string, { api }: TracingParts): void {
  span.setAttribute('error.type', type)
  span.setStatus({ code: api.SpanStatusCode.ERROR })
}

function toTraceparent({ traceId, spanId, traceFlags }: SpanContext): string {
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`
}

function linksOf({ trace }: LeasedJob): Link[] {
  const found = /^[\da-f]{2}-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})/.exec(trace ?? '')
  if (found === null) return []
  const [, traceId, spanId, flags] = found
  return [{ context: { traceId: traceId!, spanId: spanId!, traceFlags: Number.parseInt(flags!, 16), isRemote: true } }]
}
