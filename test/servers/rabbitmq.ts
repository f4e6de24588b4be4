import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { reportMissing } from './debian.ts'
import { freePort } from './free-port.ts'

const home = '/usr/lib/rabbitmq/bin'
const readyMs = 60_000

/** A RabbitMQ of the tests' own. */
export interface RabbitmqServer {
  /** As guest, in the virtual host `/`. */
  readonly url: string
  readonly port: number
  /** What was started last; what that has started works for it. */
  readonly pid: number
  /** Ends it at once, as a power cut would. */
  crash(): Promise<void>
  /** Starts again after a crash, on the same port with the same data. */
  restart(): Promise<void>
  /** Runs `rabbitmqctl`. */
  control(...args: readonly string[]): void
  stop(): Promise<void>
}

export interface RabbitmqServerOptions {
  /** Lines of `rabbitmq.conf` beside the tests' own. */
  readonly config?: readonly string[]
  /** How Erlang uses the processor. Default: one scheduler that does not spin, since tests share it. */
  readonly erlang?: string
}

/** Where RabbitMQ is. */
export function findRabbitmq(): string | undefined {
  const program = join(home, 'rabbitmq-server')
  return existsSync(program) ? program : undefined
}

/**
 * Starts a RabbitMQ on free loopback ports, with its data in a temporary folder and a port mapper (epmd) of its own; undefined, with the
 * reason printed, when it is not installed outside CI. It takes some six seconds.
 */
export async function startRabbitmq(options: RabbitmqServerOptions = {}): Promise<RabbitmqServer | undefined> {
  const program = findRabbitmq()
  if (program === undefined) {
    reportMissing('RabbitMQ', 'rabbitmq-server')
    return undefined
  }
  const folder = mkdtempSync(join(tmpdir(), 'plimsoll-rabbitmq-'))
  const [port, distribution, mapper] = [await freePort(), await freePort(), await freePort()]
  const node = `plimsoll${port}@localhost`
  mkdirSync(join(folder, 'log'))
  writeFileSync(join(folder, 'plugins'), '[].')
  const config = [`listeners.tcp.default = 127.0.0.1:${port}`, 'log.file.level = error', ...(options.config ?? [])]
  writeFileSync(join(folder, 'rabbitmq.conf'), `${config.join('\n')}\n`)
  const env = {
    PATH: process.env['PATH'],
    HOME: folder,
    RABBITMQ_NODENAME: node,
    RABBITMQ_NODE_PORT: String(port),
    RABBITMQ_DIST_PORT: String(distribution),
    RABBITMQ_MNESIA_BASE: join(folder, 'db'),
    RABBITMQ_LOG_BASE: join(folder, 'log'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'plugins'),
    RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq'),
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: options.erlang ?? '+S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none',
    ERL_EPMD_PORT: String(mapper),
    ERL_EPMD_ADDRESS: '127.0.0.1',
  }
  const run = async (): Promise<ChildProcess> => {
    const started = spawn(program, [], { env, cwd: folder, stdio: 'ignore' })
    const deadline = performance.now() + readyMs
    while (!isReady(port)) {
      if (started.exitCode !== null || performance.now() > deadline)
        throw new Error(`RabbitMQ did not start: ${logOf(folder)}`)
      await wait(50)
    }
    return started
  }
  let server = await run()
  const end = async (): Promise<void> => {
    if (server.exitCode !== null || server.signalCode !== null) return
    const ended = new Promise((resolve) => server.once('exit', resolve))
    // The server is what the script has started, and what that has.
    for (const pid of descendants(server.pid!)) tryKill(pid)
    await ended
  }
  return {
    url: `amqp://guest:guest@127.0.0.1:${port}`,
    port,
    get pid() {
      return server.pid!
    },
    crash: end,
    restart: async () => {
      server = await run()
    },
    control: (...args) => {
      const { status, stderr } = spawnSync(join(home, 'rabbitmqctl'), ['-n', node, ...args], { env, cwd: folder })
      if (status !== 0) throw new Error(`rabbitmqctl ${args.join(' ')} failed: ${stderr.toString()}`)
    },
    stop: async () => {
      await end()
      // The port mapper goes on without whoever has started it; it is known by what it was given.
      for (const pid of processes(({ environment }) => environment.includes(`ERL_EPMD_PORT=${mapper}\0`))) tryKill(pid)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

interface RunningProcess {
  readonly pid: number
  readonly parent: number
  readonly environment: string
}

/** True when something listens on the port. It accepts connections before it serves them, so a client asks again. */
function isReady(port: number): boolean {
  const hex = port.toString(16).toUpperCase().padStart(4, '0')
  return readFileSync('/proc/net/tcp', 'latin1').includes(`0100007F:${hex} 00000000:0000 0A`)
}

function logOf(folder: string): string {
  const logs = join(folder, 'log')
  return readdirSync(logs)
    .map((name) => readFileSync(join(logs, name), 'utf8').slice(-1000))
    .join('\n')
}

function processes(fits: (one: RunningProcess) => boolean): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'latin1')
        const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
        const environment = readFileSync(`/proc/${name}/environ`, 'latin1')
        return fits({ pid: Number(name), parent, environment }) ? [Number(name)] : []
      } catch {
        // It has ended meanwhile, or is not ours to look at.
        return []
      }
    })
}

/** A process, and all that it has started, the last ones first. */
function descendants(pid: number): number[] {
  return [...processes(({ parent }) => parent === pid).flatMap(descendants), pid]
}

function tryKill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended meanwhile.
  }
}
