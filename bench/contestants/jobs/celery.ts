// Celery, with a process that enqueues and one that works, as its documentation shows it.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { requireInstalled } from '../../harness/debian.ts'
import { existsSync } from 'node:fs'
import type { OpenJobContestant } from './contestant.ts'

const folder = join(import.meta.dirname, 'celery')
const libraries = '/usr/lib/python3/dist-packages'

/** Debian's own: another Python on the PATH does not have its packages. */
function findPython(): string {
  for (const [name, library] of [
    ['Celery', 'celery'],
    ['Redis for Python', 'redis'],
  ] as const) {
    const find = (): string | undefined => (existsSync(join(libraries, library)) ? library : undefined)
    requireInstalled(find, { name, debianPackage: `python3-${library}` })
  }
  return '/usr/bin/python3'
}

function openCelery(brokerOf: (urls: Parameters<OpenJobContestant>[0]['urls']) => string): OpenJobContestant {
  return async ({ urls, concurrency, workMs, onRun }) => {
    const python = findPython()
    const env = { ...process.env, BROKER_URL: brokerOf(urls), PYTHONDONTWRITEBYTECODE: '1' }
    const client = spawn(python, ['client.py'], { cwd: folder, env, stdio: ['pipe', 'pipe', 'ignore'] })
    const answers = createInterface(client.stdout)
    const ask = async (order: unknown): Promise<void> => {
      client.stdin.write(`${JSON.stringify(order)}\n`)
      const [answer] = (await once(answers, 'line')) as [string]
      if (answer !== 'ok') throw new Error(`Celery has answered ${answer}`)
    }
    let worker: ChildProcess | undefined
    return {
      add: (inputs) => ask(inputs.map(({ n, at }) => [n, at])),
      start: async () => {
        // Jobs that do nothing are run fastest by the worker's own process, and those that wait by threads.
        const pool = workMs > 0 ? ['--pool', 'threads', '--concurrency', String(concurrency)] : ['--pool', 'solo']
        const args = ['-m', 'celery', '-A', 'noop', 'worker', ...pool, '--loglevel', 'CRITICAL']
        const quick = ['--without-gossip', '--without-mingle', '--without-heartbeat']
        worker = spawn(python, [...args, ...quick], {
          cwd: folder,
          env: { ...env, PREFETCH: '200', WORK_MS: String(workMs) },
          stdio: ['ignore', 'pipe', 'ignore'],
        })
        createInterface(worker.stdout!).on('line', (line) => {
          // It says more than its jobs do.
          const [, n, at] = /^(\d+) (\d+\.\d+)$/.exec(line) ?? []
          if (n !== undefined) void onRun({ n: Number(n), at: Number(at) })
        })
      },
      stop: async () => {
        if (worker === undefined || worker.exitCode !== null) return
        const ended = once(worker, 'exit')
        worker.kill('SIGTERM')
        const killer = setTimeout(() => worker!.kill('SIGKILL'), 5000)
        await ended
        clearTimeout(killer)
      },
      clear: () => ask('purge'),
      close: async () => {
        client.stdin.end()
        await once(client, 'exit')
      },
    }
  }
}

export const openCeleryRedis = openCelery(({ redis }) => redis)
export const openCeleryRabbitmq = openCelery(({ rabbitmq }) => `${rabbitmq}//`)
