import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { reportMissing } from './debian.ts'
import { commandOf, descendants } from './descendants.ts'
import { freePort } from './free-port.ts'

const home = '/usr/lib/rabbitmq/bin'
const readyMs = 120_000

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
 * Starts a RabbitMQ on free loopback ports, with its data in a temporary folder and a port mapper (epmd) of its own, which ends with it;
 * undefined, with the reason printed, when it is not installed outside CI. It takes some six seconds.
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
  // A node that finds no port mapper starts one that goes on without it. This one is ours.
  const ports = spawn('epmd', ['-port', String(mapper), '-address', '127.0.0.1'], { env, cwd: folder, stdio: 'ignore' })
  let server: ChildProcess | undefined
  const end = async (): Promise<void> => {
    if (server !== undefined) await endAll(server)
  }
  const stop = async (): Promise<void> => {
    process.off('exit', killAll)
    await end()
    await endAll(ports)
    rmSync(folder, { recursive: true, force: true })
  }
  const killAll = (): void => {
    for (const child of [server, ports])
      if (child !== undefined && lives(child)) descendants(child.pid!).forEach(tryKill)
  }
  // Whoever ends without stopping it takes it along.
  process.on('exit', killAll)
  const run = async (): Promise<void> => {
    const deadline = performance.now() + readyMs
    const listens = async (child: ChildProcess, at: number): Promise<void> => {
      while (!(await listensAt(at))) {
        if (!lives(child) || performance.now() > deadline) {
          const log = logOf(folder)
          await stop()
          throw new Error(`RabbitMQ did not start: ${log}`)
        }
        await wait(50)
      }
    }
    await listens(ports, mapper)
    // One that has just crashed may be connected to for a moment more.
    while (await listensAt(port)) await wait(10)
    server = spawn(program, [], { env, cwd: folder, stdio: 'ignore' })
    await listens(server, port)
  }
  await run()
  return {
    url: `amqp://guest:guest@127.0.0.1:${port}`,
    port,
    get pid() {
      return server!.pid!
    },
    crash: end,
    restart: run,
    control: (...args) => {
      const { status, stderr } = spawnSync(join(home, 'rabbitmqctl'), ['-n', node, ...args], { env, cwd: folder })
      if (status !== 0) throw new Error(`rabbitmqctl ${args.join(' ')} failed: ${stderr.toString()}`)
    },
    stop,
  }
}

/** True when something listens on the port. It accepts connections before it serves them, so a client asks again. */
function listensAt(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const end = (answer: boolean): void => {
      socket.destroy()
      resolve(answer)
    }
    const socket = connect(port, '127.0.0.1', () => end(true)).once('error', () => end(false))
  })
}

function logOf(folder: string): string {
  const logs = join(folder, 'log')
  return readdirSync(logs)
    .map((name) => readFileSync(join(logs, name), 'utf8').slice(-1000))
    .join('\n')
}

function lives({ pid, exitCode, signalCode }: ChildProcess): boolean {
  return pid !== undefined && exitCode === null && signalCode === null
}

/** Ends a process with all that it has started: the server is what its script has started, and what that has. */
async function endAll(child: ChildProcess): Promise<void> {
  if (!lives(child)) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  const pids = descendants(child.pid!)
  for (const pid of pids) tryKill(pid)
  await ended
  // Until then its ports are taken.
  const left = (): boolean => pids.some((pid) => commandOf(pid) !== '')
  for (const until = performance.now() + 5000; left() && performance.now() < until;) await wait(10)
}

function tryKill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended meanwhile.
  }
}
