import type { FastifyInstance } from 'fastify'
import { PlimsollError, showValue } from '../core/errors.ts'
import type { Job, Jobs } from '../jobs/index.ts'
import type { JobTracer } from '../jobs/types.ts'
import { logJobs } from './log-jobs.ts'
import { openMetrics, serveMetrics } from './metrics.ts'
import { publishRequests } from './request-events.ts'
import { openTracing } from './tracing.ts'

/** What of a service can be watched from outside. */
export interface ObservabilityOptions {
  /**
   * Serves counts and durations in Prometheus's form at `/metrics`, or at `path`. Default false, because they tell whoever can
   * read them how the service is built and how it fares; let only your scraper reach the path.
   */
  readonly metrics?: boolean | { readonly path?: string | undefined } | undefined
  /** Makes OpenTelemetry spans of requests and of what they do; needs the package `@opentelemetry/api`. Default false. */
  readonly tracing?: boolean | undefined
  /**
   * Logs what handlers of jobs say by `log`, and jobs that have failed for good or are in quarantine, where this process runs them: to
   * Fastify's logger, or to stderr where it has none. Default true.
   */
  readonly logJobs?: boolean | undefined
}

/** What watches a service. */
export interface Observability {
  /** Makes spans of jobs; undefined without tracing. */
  readonly tracer: JobTracer | undefined
  /** Watches the requests of a server, the queues of `jobs` and those that are `known`, serves what is to be served, and closes with it. */
  serve(fastify: FastifyInstance, has?: { readonly jobs: Jobs | undefined; readonly known: readonly Job[] }): void
  close(): void
}

/**
 * Begins to watch; before anything else is opened, so that the first connections count too.
 *
 * @throws PLIMSOLL_OPTION_INVALID for a path that is none, PLIMSOLL_PEER_MISSING.
 */
export async function openObservability({
  metrics,
  tracing,
  logJobs: logs = true,
}: ObservabilityOptions): Promise<Observability> {
  const path = metricsPath(metrics)
  const spans = tracing === true ? await openTracing() : undefined
  const numbers = path === undefined ? undefined : openMetrics()
  let endLog = (): void => {}
  const close = (): void => {
    endLog()
    spans?.close()
    numbers?.close()
  }
  return {
    tracer: spans?.jobs,
    serve(fastify, { jobs, known } = { jobs: undefined, known: [] }) {
      fastify.addHook('onClose', async () => close())
      spans?.serve(fastify)
      publishRequests(fastify)
      if (logs && known.length > 0)
        endLog = logJobs(
          fastify,
          known.map(({ name }) => name),
        )
      if (path !== undefined) serveMetrics(fastify, path, { metrics: numbers, jobs })
    },
    close,
  }
}

function metricsPath(metrics: ObservabilityOptions['metrics']): string | undefined {
  if (metrics === undefined || metrics === false) return undefined
  const path = metrics === true ? undefined : metrics.path
  if (path === undefined) return '/metrics'
  if (typeof path === 'string' && /^\/[^*:?#\s]*$/.test(path)) return path
  throw new PlimsollError(
    'PLIMSOLL_OPTION_INVALID',
    `metrics.path is ${showValue(path)}; give a path such as '/metrics'.`,
    { details: { option: 'metrics.path' } },
  )
}
