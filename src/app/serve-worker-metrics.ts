import { PlimsollError } from '../core/errors.ts'
import type { Jobs } from '../jobs/index.ts'
import { optionOrEnvironment } from './environment.ts'
import { serveMetrics, type Metrics } from './metrics.ts'
import { openFastify } from './open-fastify.ts'
import { serversOf } from './servers-of.ts'

/** What {@link serveWorkerMetrics} serves, and where. */
export interface WorkerMetricsOptions {
  readonly metrics: Metrics
  /** Those whose queues are shown. */
  readonly jobs: Jobs
  /** 0 takes any free one. */
  readonly port: number
  /** Default: HOST, or `'localhost'`. */
  readonly host?: string | undefined
}

/**
 * Serves `/metrics` of a process that serves nothing else, for as long as it lives, which is not for the sake of this. Resolves to the URL.
 *
 * @throws PLIMSOLL_OPTION_INVALID where it cannot listen
 */
export async function serveWorkerMetrics({ metrics, jobs, port, host: given }: WorkerMetricsOptions): Promise<string> {
  const host = given ?? optionOrEnvironment(undefined, 'HOST') ?? 'localhost'
  const fastify = openFastify({ logger: false })
  serveMetrics(fastify, '/metrics', { metrics, jobs })
  const url = await fastify.listen({ port, host }).catch(async (error: NodeJS.ErrnoException) => {
    await fastify.close()
    throw new PlimsollError(
      'PLIMSOLL_OPTION_INVALID',
      `The metrics cannot be served at port ${port} of '${host}' (${error.code}); give another --metrics-port or --metrics-host.`,
      { cause: error, details: { option: 'metrics-port' } },
    )
  })
  for (const server of serversOf(fastify)) {
    server.unref()
    // A scraper keeps its connection.
    server.on('connection', (socket) => void socket.unref())
  }
  return `${url}/metrics`
}
