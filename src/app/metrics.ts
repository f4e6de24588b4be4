import type { FastifyInstance } from 'fastify'
import { observe } from '../core/events.ts'
import type { Jobs } from '../jobs/index.ts'
import { createEventMetrics } from './metrics/event-metrics.ts'
import { contentTypes, writeExposition, type AnyFamily, type ExpositionFormat } from './metrics/exposition.ts'
import { negotiateFormat } from './metrics/negotiate-format.ts'
import { openProcessMetrics } from './metrics/process-metrics.ts'
import { openQueueDepth } from './metrics/queue-depth.ts'

/** What happened in this process since it was opened, in numbers. */
export interface Metrics extends Disposable {
  /** All of them, and `more`, in one of the two formats. Default `'text'`. */
  write(format?: ExpositionFormat, more?: readonly AnyFamily[]): string
  /** Counts no longer. */
  close(): void
}

/**
 * Begins to count. Events are the process's: of two that are open, each counts everything.
 *
 * @example
 * using metrics = openMetrics()
 * await db.posts.count()
 * console.log(metrics.write())
 */
export function openMetrics(): Metrics {
  const events = createEventMetrics()
  const process = openProcessMetrics()
  const stop = observe(events.count)
  const close = (): void => {
    stop()
    process.close()
  }
  return {
    write(format = 'text', more = []) {
      process.refresh()
      return writeExposition([...events.families, ...more, ...process.families], format)
    },
    close,
    [Symbol.dispose]: close,
  }
}

/**
 * Serves metrics at `path` in Prometheus's text format, or in OpenMetrics to clients that ask for it. `metrics`: those to serve; by
 * default they are opened here, and closed with the server. `jobs`: those whose queues are shown too.
 *
 * @example
 * serveMetrics(fastify, '/metrics')
 */
export function serveMetrics(
  fastify: FastifyInstance,
  path: string,
  {
    metrics = closedWith(fastify, openMetrics()),
    jobs,
  }: { readonly metrics?: Metrics | undefined; readonly jobs?: Jobs | undefined } = {},
): void {
  const depth = jobs && openQueueDepth(jobs)
  fastify.get(path, async (request, reply) => {
    const format = negotiateFormat(request.headers.accept)
    await depth?.refresh()
    reply.header('content-type', contentTypes[format]).header('vary', 'Accept').header('cache-control', 'no-store')
    return reply.send(metrics.write(format, depth?.families))
  })
}

function closedWith(fastify: FastifyInstance, metrics: Metrics): Metrics {
  fastify.addHook('onClose', async () => metrics.close())
  return metrics
}
