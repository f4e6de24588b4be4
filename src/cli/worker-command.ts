import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import type { App } from '../app/create-app.ts'
import { openMetrics } from '../app/metrics.ts'
import { serveWorkerMetrics, type WorkerMetricsOptions } from '../app/serve-worker-metrics.ts'
import { enterWorkerCommand } from '../app/worker-command-mark.ts'
import { PlimsollError, showValue } from '../core/errors.ts'
import type { WorkOptions } from '../jobs/index.ts'

/** What `plimsoll worker --help` prints. */
export const workerHelp = `Usage: plimsoll worker [--app FILE] [--queues NAME[:N],…] [--concurrency N]
                       [--metrics-port PORT [--metrics-host HOST]]

Runs the jobs of an application until it is told to stop: SIGTERM and SIGINT let those that run end, for 10 s, and hand the
others back.

  --app FILE         the module that exports 'app', what createApp returns (default ./app.ts)
  --queues LIST      the queues to take jobs from, such as mail,video:2 for at most two of video (default: all)
  --concurrency N    how many jobs run at a time (default 20)
  --metrics-port N   serves /metrics of the worker at this port, for Prometheus (default: nowhere)
  --metrics-host H   … of this address (default HOST, or localhost; 0.0.0.0 for all)`

/** `plimsoll worker`; `say` is given a line when it begins. Resolves when it runs. */
export async function workerCommand(args: readonly string[], say: (line: string) => void): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      app: { type: 'string', default: './app.ts' },
      queues: { type: 'string' },
      concurrency: { type: 'string' },
      'metrics-port': { type: 'string' },
      'metrics-host': { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  })
  if (values.help === true) return say(workerHelp)
  const concurrency = values.concurrency === undefined ? undefined : readCount(values.concurrency, 'concurrency')
  const queues = values.queues === undefined ? undefined : readQueues(values.queues)
  const { 'metrics-port': port, 'metrics-host': host } = values
  if (host !== undefined && port === undefined) throw invalid('metrics-host', 'without --metrics-port it says nothing')
  // Before anything is opened, so that it counts too.
  const served = port === undefined ? undefined : { port: readMetricsPort(port), host, metrics: openMetrics() }
  enterWorkerCommand()
  const app = await importApp(values.app)
  if (served !== undefined) await serve(app, served, say)
  // Before the first job begins, which a signal would cut short.
  app.closeOnSignals()
  await app.jobs.work({ queues, concurrency })
  say(`Running jobs of ${values.queues ?? 'all queues'}.`)
}

function readQueues(list: string): WorkOptions['queues'] {
  return list.split(',').map((part) => {
    const [name = '', count, ...rest] = part.trim().split(':')
    if (name === '' || rest.length > 0) throw invalid('queues', `'${part}' names no queue`)
    return count === undefined ? name : { name, concurrency: readCount(count, 'queues') }
  })
}

async function serve(
  app: App,
  options: Omit<WorkerMetricsOptions, 'jobs'>,
  say: (line: string) => void,
): Promise<void> {
  try {
    say(`Metrics: ${await serveWorkerMetrics({ ...options, jobs: app.jobs })}`)
  } catch (error) {
    await app.close()
    throw error
  }
}

function readMetricsPort(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) < 65_536) return Number(text)
  throw invalid('metrics-port', `${showValue(text)} is no number from 0 to 65535`)
}

function readCount(text: string, option: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text)
  throw invalid(option, `${showValue(text)} is no number from 1`)
}

async function importApp(file: string): Promise<App> {
  if (!existsSync(file)) throw invalid('app', `There is no file '${file}'`)
  const module = (await import(pathToFileURL(resolve(file)).href)) as { readonly app?: App }
  if (module.app !== undefined) return module.app
  throw invalid('app', `'${file}' does not export 'app', what createApp returns`)
}

function invalid(option: string, problem: string): PlimsollError {
  return new PlimsollError('PLIMSOLL_OPTION_INVALID', `${problem}; correct --${option}.`, { details: { option } })
}
