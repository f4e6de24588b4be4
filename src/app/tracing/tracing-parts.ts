import type * as OpenTelemetry from '@opentelemetry/api'

/** The API of OpenTelemetry, which the application brings. */
export type OpenTelemetryApi = typeof OpenTelemetry

/** What makes spans. */
export interface TracingParts {
  readonly api: OpenTelemetryApi
  readonly tracer: OpenTelemetry.Tracer
  /** The time of day in milliseconds: one clock for all spans, or a child may seem to begin before its parent. */
  readonly now: () => number
}
