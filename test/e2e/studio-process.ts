import { spawn } from 'node:child_process'
import { join } from 'node:path'

const root = join(import.meta.dirname, '../..')
const server = join(root, 'examples/studio/server.ts')

export interface StudioProcess {
  /** Where the web page is, as the studio printed it. */
  readonly url: string
  /** All that was printed so far. */
  output(): string
  /** Sends SIGTERM and waits; the exit code. */
  stop(): Promise<number | null>
  /** Sends SIGKILL and waits. */
  kill(): Promise<void>
}

/** What a start needs: the folder that holds `.plimsoll`, and variables beside the inherited ones. */
export interface StartOptions {
  readonly cwd: string
  readonly env?: Readonly<Record<string, string>>
}

/** Starts the studio as its users do and waits until it is open. */
export async function startStudio(options: StartOptions): Promise<StudioProcess> {
  const started = launchStudio(options)
  const [, url] = await started.saw(/web page\s+(http\S+)/)
  return { ...started, url: url! }
}

/** Starts the studio and returns at once. `saw` waits for something in its output, and fails when it ends without it. */
export function launchStudio({ cwd, env = {} }: StartOptions): Omit<StudioProcess, 'url'> & {
  saw(pattern: RegExp): Promise<RegExpExecArray>
  readonly exit: Promise<number | null>
} {
  const { DATABASE_URL: _, ...inherited } = process.env
  const child = spawn(process.execPath, [server], { cwd, env: { ...inherited, PORT: '0', HOST: '127.0.0.1', ...env } })
  let output = ''
  const watchers = new Set<() => void>()
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
      for (const watcher of watchers) watcher()
    })
  }
  // After `close` nothing more is printed, which `exit` does not promise.
  const exit = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)))
  return {
    exit,
    output: () => output,
    saw: (pattern) =>
      new Promise((resolve, reject) => {
        const watcher = (): void => {
          const found = pattern.exec(output)
          if (found) resolve(found)
        }
        watchers.add(watcher)
        watcher()
        void exit.then((code) =>
          reject(new Error(`The studio ended with ${code} before it printed ${pattern}:\n${output}`)),
        )
      }),
    stop: () => {
      child.kill('SIGTERM')
      return exit
    },
    kill: async () => {
      child.kill('SIGKILL')
      await exit
    },
  }
}
