import type { FastifyInstance } from 'fastify'
import { importPeer } from '../core/peer.ts'
import type { JobTracer } from '../jobs/types.ts'
import { traceEvents } from './tracing/event-spans.ts'
import { jobTracer } from './tracing/job-spans.ts'
import { traceRequests } from './tracing/request-spans.ts'
import type { OpenTelemetryApi } from './tracing/tracing-parts.ts'
import { createWallClock } from './tracing/wall-clock.ts'

/** Spans of what happens in this process. */
export interface Tracing {
  /** Makes spans of the requests of a server, so that what its handlers do has a parent. */
  serve(fastify: FastifyInstance): void
  /** Makes spans of jobs. */
  readonly jobs: JobTracer
  /** Makes no more spans of events. */
  close(): void
}

/**
 * Begins to make OpenTelemetry spans of statements, transactions, and loads of the cache. They go where the application's SDK
 * sends them; without an SDK they go nowhere. Events are the process's: of two that are open, each makes spans of everything.
 *
 * @throws PLIMSOLL_PEER_MISSING without the package `@opentelemetry/api`.
 * @example
 * const tracing = await openTracing()
 * tracing.serve(fastify)
 */
export async function openTracing(): Promise<Tracing> {
  const api = await importPeer<OpenTelemetryApi>('@opentelemetry/api', "The option 'tracing'")
  const parts = { api, tracer: api.trace.getTracer('plimsoll'), now: createWallClock() }
  return { serve: (fastify) => traceRequests(fastify, parts), jobs: jobTracer(parts), close: traceEvents(parts) }
}
