import { execFileSync, spawn } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

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

/** A studio of a test's own. */
export async function studioFor(env: Readonly<Record<string, string>> = {}): Promise<StudioProcess> {
  const cwd = await mkdtemp(join(tmpdir(), 'plimsoll-studio-'))
  const studio = await startStudio({ cwd, env })
  onTestFinished(async () => {
    await studio.stop()
    await rm(cwd, { recursive: true, force: true })
  })
  return studio
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

/** Compiles the package, on which the studio stands, unless what is compiled is newer than every source. */
export function buildWhenStale(): void {
  const built = join(root, 'dist/app/index.js')
  const newest = (folder: string): number =>
    Math.max(
      ...readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => statSync(join(folder, name)).mtimeMs),
    )
  if (existsSync(built) && statSync(built).mtimeMs > newest(join(root, 'src'))) return
  execFileSync(process.execPath, [join(root, 'scripts/build.ts')], {
    cwd: root,
    env: { ...process.env, PATH: `${join(root, 'node_modules/.bin')}:${process.env['PATH']}` },
  })
}
