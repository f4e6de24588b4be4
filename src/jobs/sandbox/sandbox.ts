import { fork, type ChildProcess } from 'node:child_process'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { PlimsollError } from '../../core/errors.ts'
import type { JobDefinition } from '../define-job.ts'
import { publishLog } from '../worker/job-context.ts'
import type { Run } from '../worker/run-job.ts'
import { heldTooMuch, type SandboxNews, type SandboxOrder } from './sandbox-messages.ts'
import { fromWireError, toWireError } from './wire-error.ts'

/** How long a run whose signal has aborted may still take before its process is killed. */
const graceMs = 5000
/** What a process has left to say when it has ended is waited for so long: others may hold its streams open. */
const lastWordsMs = 500
const mostStderr = 4000
const mebibyte = 1024 ** 2

/** What a run waits for. */
interface Current {
  readonly run: Run
  began: boolean
  resolve(output: string | undefined): void
  reject(error: unknown): void
}

/** The process has ended before it had begun with the run that it was given. */
export class SandboxGone extends Error {
  override readonly name = 'SandboxGone'
}

/** A process that runs jobs of one module, one at a time, with a bound on its memory. It does not keep this process alive. */
export class Sandbox {
  readonly module: string
  readonly memoryBytes: number
  /** Resolves when the process has ended. */
  readonly ended: Promise<void>
  readonly #child: ChildProcess
  #current: Current | undefined
  #alive = true
  #spent = false
  #stderr = ''
  #crash: unknown

  constructor({ module, memoryBytes }: NonNullable<JobDefinition['sandbox']>) {
    this.module = module
    this.memoryBytes = memoryBytes
    const file = new URL(`./sandbox-child${extname(import.meta.url)}`, import.meta.url)
    this.#child = fork(fileURLToPath(file), [module, String(memoryBytes)], {
      execArgv: [...inheritedArguments(), `--max-old-space-size=${Math.ceil(memoryBytes / mebibyte)}`],
      serialization: 'advanced',
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
    })
    this.ended = this.#follow()
  }

  /** True while it can take a run. */
  get fit(): boolean {
    return this.#alive && !this.#spent && this.#current === undefined
  }

  /**
   * Resolves to the output, as JSON.
   *
   * @throws what the handler has thrown; PLIMSOLL_JOB_CRASHED when the process has ended; {@link SandboxGone}
   */
  async run(run: Run): Promise<string | undefined> {
    const { signal } = run
    const { promise, resolve, reject } = Promise.withResolvers<string | undefined>()
    this.#current = { run, began: false, resolve, reject }
    let killing: NodeJS.Timeout | undefined
    const onAbort = (): void => {
      this.#tell({ type: 'abort', reason: toWireError(signal.reason) })
      killing = setTimeout(() => this.kill(), graceMs)
      killing.unref()
    }
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      this.#tell({ type: 'run', job: run.job, module: this.module })
      return await promise
    } finally {
      this.#current = undefined
      clearTimeout(killing)
      signal.removeEventListener('abort', onAbort)
    }
  }

  /** Ends the process, whatever it does. */
  kill(): void {
    this.#child.kill('SIGKILL')
  }

  #tell(order: SandboxOrder): void {
    // That it has ended is told by its end.
    if (this.#child.connected) this.#child.send(order, () => {})
  }

  #follow(): Promise<void> {
    const child = this.#child
    const { promise: ended, resolve } = Promise.withResolvers<void>()
    child.on('message', (news: SandboxNews) => this.#hear(news))
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      process.stderr.write(text)
      this.#stderr = (this.#stderr + text).slice(-mostStderr)
    })
    const end = (error: Error): void => {
      this.#alive = false
      this.#current?.reject(this.#current.began ? error : new SandboxGone(error.message, { cause: error }))
      resolve()
    }
    child.once('error', (error) => {
      if (child.pid === undefined) end(this.#crashed(`its process could not be started: ${error.message}`))
    })
    child.once('exit', (code, signal) => {
      this.#alive = false
      const timer = setTimeout(() => end(this.#crashed(this.#describe(code, signal))), lastWordsMs)
      child.once('close', () => {
        clearTimeout(timer)
        end(this.#crashed(this.#describe(code, signal)))
      })
    })
    child.unref()
    child.channel?.unref()
    ;(child.stderr as { unref?: () => void } | null)?.unref?.()
    return ended
  }

  #hear(news: SandboxNews): void {
    if (news.type === 'crash') {
      this.#crash = fromWireError(news.error)
      return
    }
    const current = this.#current
    if (current === undefined) return
    switch (news.type) {
      case 'began':
        current.began = true
        break
      case 'progress':
        current.run.progress(news.progress)
        break
      case 'log':
        publishLog(current.run.job, news.line)
        break
      case 'done':
        this.#retire(news.heldBytes, false)
        current.resolve(news.output)
        break
      case 'failed':
        this.#retire(news.heldBytes, news.spent)
        current.reject(fromWireError(news.error))
        break
    }
  }

  /** What a run has left behind is not to be the end of the next one. */
  #retire(heldBytes: number, spent: boolean): void {
    this.#spent = spent || heldBytes > this.memoryBytes / 2
  }

  #describe(code: number | null, signal: NodeJS.Signals | null): string {
    const megabytes = Math.ceil(this.memoryBytes / mebibyte)
    if (/heap out of memory|Reached heap limit/.test(this.#stderr) || this.#stderr.includes(heldTooMuch)) {
      return `it needed more memory than its ${megabytes} MB; raise sandbox.memory, or hold less at a time`
    }
    if (this.#crash !== undefined) return `an error that nobody caught has ended its process: ${String(this.#crash)}`
    if (signal === 'SIGKILL') return 'its process was killed (SIGKILL), by somebody or for want of memory'
    if (signal !== null) return `its process was ended by ${signal}`
    return `its process has ended with exit code ${code}, as process.exit() does`
  }

  #crashed(what: string): PlimsollError {
    const name = this.#current?.run.job.name
    const error = new PlimsollError('PLIMSOLL_JOB_CRASHED', `The job '${name}' has crashed in its sandbox: ${what}.`, {
      cause: this.#crash,
      details: { name, module: this.module },
    })
    if (this.#crash instanceof Error) error.stack = this.#crash.stack
    return error
  }
}

/** Those of this process, without what is its own: a debugger's port, a program on the command line, its memory. */
function inheritedArguments(): string[] {
  const own = /^--(?:inspect|max-old-space-size|watch|test|input-type|title)/
  const kept: string[] = []
  for (let i = 0; i < process.execArgv.length; i++) {
    const argument = process.execArgv[i]!
    if (/^(?:-e|-p|-pe|--eval|--print)$/.test(argument)) i++
    else if (!own.test(argument) && !/^--(?:eval|print)=/.test(argument)) kept.push(argument)
  }
  return kept
}
