import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import type { App } from '../app/create-app.ts'
import { PlimsollError, showValue } from '../core/errors.ts'
import type { WorkOptions } from '../jobs/index.ts'

/** What `plimsoll worker --help` prints. */
export const workerHelp = `Usage: plimsoll worker [--app FILE] [--queues NAME[:N],…] [--concurrency N]

Runs the jobs of an application until it is told to stop: SIGTERM and SIGINT let those that run end, for 10 s, and hand the
others back.

  --app FILE         the module that exports 'app', what createApp returns (default ./app.ts)
  --queues LIST      the queues to take jobs from, such as mail,video:2 for at most two of video (default: all)
  --concurrency N    how many jobs run at a time (default 20)`

/** `plimsoll worker`; `say` is given a line when it begins. Resolves when it runs. */
export async function workerCommand(args: readonly string[], say: (line: string) => void): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      app: { type: 'string', default: './app.ts' },
      queues: { type: 'string' },
      concurrency: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  })
  if (values.help === true) return say(workerHelp)
  const concurrency = values.concurrency === undefined ? undefined : readCount(values.concurrency, 'concurrency')
  const queues = values.queues === undefined ? undefined : readQueues(values.queues)
  const app = await importApp(values.app)
  await app.jobs.work({ queues, concurrency })
  app.closeOnSignals()
  say(`Running jobs of ${values.queues ?? 'all queues'}.`)
}

function readQueues(list: string): WorkOptions['queues'] {
  return list.split(',').map((part) => {
    const [name = '', count, ...rest] = part.trim().split(':')
    if (name === '' || rest.length > 0) throw invalid('queues', `'${part}' names no queue`)
    return count === undefined ? name : { name, concurrency: readCount(count, 'queues') }
  })
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
