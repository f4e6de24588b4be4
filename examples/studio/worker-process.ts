import { spawn, type ChildProcess } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

/** How long to wait before a worker that has ended is started again; the longer the more often it ends at once. */
const restartMs = { first: 500, most: 30_000 }
/** One that has run so long was no failure to start. */
const soundMs = 10_000

/** The process that runs the jobs. */
export interface WorkerProcess {
  /** Lets it end its jobs, or hand them back. */
  close(): Promise<void>
}

/** Runs `plimsoll worker` beside the studio, and starts another one whenever it has ended; `report` is given a line each time. */
export function startWorker(report: (line: string) => void): WorkerProcess {
  let closing = false
  let waitMs = restartMs.first
  let timer: NodeJS.Timeout | undefined
  let child: ChildProcess | undefined
  let ended = Promise.resolve()
  const start = (): void => {
    const began = performance.now()
    const worker = spawn(process.execPath, [commandLine(), 'worker', '--app', join(import.meta.dirname, 'worker.ts')], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    child = worker
    report(`  worker         process ${worker.pid} runs the jobs`)
    ended = new Promise((resolve) => {
      worker.once('error', (error) => report(String(error)))
      worker.once('close', (code, signal) => {
        resolve()
        if (closing) return
        waitMs = performance.now() - began > soundMs ? restartMs.first : Math.min(waitMs * 2, restartMs.most)
        report(`  worker         process ${worker.pid} has ended (${signal ?? code}); another one starts`)
        timer = setTimeout(start, waitMs)
      })
    })
  }
  start()
  return {
    async close() {
      closing = true
      clearTimeout(timer)
      child?.kill('SIGTERM')
      await ended
    },
  }
}

/** The file of the command `plimsoll`. */
function commandLine(): string {
  const manifest = createRequire(import.meta.url).resolve('plimsoll/package.json')
  return join(dirname(manifest), 'dist/cli/main.js')
}
