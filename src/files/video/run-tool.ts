import { spawn, type ChildProcess } from 'node:child_process'
import { constants, setPriority } from 'node:os'
import { PlimsollError } from '../../core/errors.ts'

/** A run of a program, and its bounds. */
export interface ToolRun {
  readonly program: string
  readonly args: readonly string[]
  /** Where it runs, and writes. */
  readonly folder: string
  readonly timeoutMs: number
  /** From when on that counts. Default: from its start. */
  readonly timed?: Promise<void> | undefined
  /** Of address space. */
  readonly memoryBytes: number
  /** The largest file that it may write. */
  readonly fileBytes: number
  readonly signal?: AbortSignal | undefined
  /** True for what takes minutes of all cores, and gives way to others: this process, and what is done in seconds. */
  readonly yields?: boolean | undefined
  /** Told of every line on its output, which is not kept then. */
  readonly onLine?: ((line: string) => void) | undefined
}

/** What a program has said, when all went well. */
export interface ToolOutput {
  readonly stdout: string
  /** The last of it. */
  readonly stderr: string
}

/** What programs say of a disk that is full. */
export const diskFull: RegExp = /No space left on device|Disk quota exceeded|running out of disk space/i

/**
 * A program has ended with an error, or has said that the disk is full: ffmpeg calls it a success when it could not write the end of a file.
 * What it has said is not for users: it names paths.
 */
export class ToolFailure extends Error {
  override readonly name = 'ToolFailure'
  readonly exitCode: number | null
  readonly killedBy: NodeJS.Signals | null
  readonly stderr: string

  constructor(program: string, ended: { exitCode: number | null; killedBy: NodeJS.Signals | null; stderr: string }) {
    super(`${program} has ended with ${ended.killedBy ?? `exit code ${ended.exitCode}`}.`)
    this.exitCode = ended.exitCode
    this.killedBy = ended.killedBy
    this.stderr = ended.stderr
  }
}

const mostStdout = 4 * 1024 ** 2
const mostStderr = 64_000
const mostLine = 10_000

/**
 * Bounds the process, then becomes the program. Beside it waits a shell that ends the whole group when the pipe on descriptor 3 does:
 * with the process that has started it, however that dies.
 */
const bounded = [
  '(read -r _ <&3; kill -9 0) >/dev/null 2>&1 &',
  'ulimit -c 0 || :; ulimit -v "$1" || :; ulimit -f "$2" || :',
  'shift 2; exec "$@" 3<&-',
].join('\n')

/**
 * Runs a program in a process group of its own, without a shell's view of its arguments, and ends the group with the signal, at the
 * time-out, and with this process. Memory and files are bounded where there is a POSIX shell, which Windows has none of.
 *
 * @throws {@link ToolFailure}; PLIMSOLL_MEDIA_TIMEOUT; PLIMSOLL_MEDIA_TOOL_MISSING; the signal's reason
 */
export async function runTool(run: ToolRun): Promise<ToolOutput> {
  run.signal?.throwIfAborted()
  const child = start(run)
  if (run.yields === true) yieldToOthers(child)
  const output = collect(child, run.onLine)
  const { promise, resolve, reject } = Promise.withResolvers<ToolOutput>()
  let ending: unknown
  const end = (reason: unknown): void => {
    ending ??= reason
    killGroup(child)
  }
  const onAbort = (): void => end(run.signal?.reason)
  let timer: NodeJS.Timeout | undefined
  let isOver = false
  const time = (): void => void (timer = isOver ? undefined : setTimeout(() => end(timedOut(run)), run.timeoutMs))
  if (run.timed === undefined) time()
  else void run.timed.then(time)
  run.signal?.addEventListener('abort', onAbort, { once: true })
  child.once('error', (error) => reject(spawnError(error, run.program)))
  child.once('close', (exitCode, killedBy) => {
    if (ending !== undefined) reject(ending)
    else if (exitCode === 0 && !diskFull.test(output.stderr()))
      resolve({ stdout: output.stdout(), stderr: output.stderr() })
    else reject(new ToolFailure(nameOf(run.program), { exitCode, killedBy, stderr: output.stderr() }))
  })
  try {
    return await promise
  } finally {
    isOver = true
    clearTimeout(timer)
    run.signal?.removeEventListener('abort', onAbort)
  }
}

function start({ program, args, folder, memoryBytes, fileBytes }: ToolRun): ChildProcess {
  // No secret of this process's environment is for a program that reads what strangers have sent.
  const env = { PATH: process.env['PATH'] ?? '', LC_ALL: 'C', HOME: folder, TMPDIR: folder }
  const options = { cwd: folder, env, windowsHide: true } as const
  if (process.platform === 'win32') return spawn(program, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
  const bounds = [String(Math.ceil(memoryBytes / 1024)), String(Math.ceil(fileBytes / 512))]
  return spawn('/bin/sh', ['-c', bounded, 'sh', ...bounds, program, ...args], {
    ...options,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  })
}

/** Keeps what is said within bounds. The shell that waits goes once the program has. */
function collect(
  child: ChildProcess,
  onLine: ((line: string) => void) | undefined,
): { stdout(): string; stderr(): string } {
  let stdout = ''
  let stderr = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
    if (onLine === undefined) {
      if (stdout.length > mostStdout) killGroup(child)
      return
    }
    const lines = stdout.split('\n')
    stdout = lines.pop()!.slice(-mostLine)
    for (const line of lines) onLine(line)
  })
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-mostStderr)
  })
  child.once('exit', () => (child.stdio[3] as { destroy?: () => void } | null)?.destroy?.())
  return { stdout: () => stdout, stderr: () => stderr }
}

/** What it starts has the same. */
function yieldToOthers({ pid }: ChildProcess): void {
  if (pid === undefined) return
  try {
    setPriority(pid, constants.priority.PRIORITY_BELOW_NORMAL)
  } catch {
    // It has ended, or somebody forbids that: it works all the same.
  }
}

function killGroup(child: ChildProcess): void {
  // Without an exit the id is still that of the group.
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  try {
    if (process.platform === 'win32') child.kill('SIGKILL')
    else process.kill(-child.pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

function timedOut({ program, timeoutMs }: ToolRun): PlimsollError {
  return new PlimsollError(
    'PLIMSOLL_MEDIA_TIMEOUT',
    `${nameOf(program)} was not done after ${Math.round(timeoutMs / 1000)} s.`,
    { details: { timeoutMs } },
  )
}

function spawnError(error: Error, program: string): PlimsollError {
  return new PlimsollError('PLIMSOLL_MEDIA_TOOL_MISSING', `${nameOf(program)} cannot be started: ${error.message}.`, {
    cause: error,
  })
}

/** A program by its name alone. */
function nameOf(program: string): string {
  return program.slice(Math.max(program.lastIndexOf('/'), program.lastIndexOf('\\')) + 1)
}
