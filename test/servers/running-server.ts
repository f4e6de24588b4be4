import { spawn, type ChildProcess } from 'node:child_process'
import { connect } from 'node:net'
import type { Owner } from './owner.ts'
import { pause } from './pause.ts'

/** How a server is started that listens on a loopback port. */
export interface ServerStart {
  readonly name: string
  readonly program: string
  readonly args: readonly string[]
  readonly port: number
  /** The folder it runs in. Default: ours. */
  readonly folder?: string
  /** Who it runs as. Default: ourselves. */
  readonly owner?: Owner
  /** Whether it serves by now; asked until it does. Default: whether it listens. */
  readonly answers?: () => Promise<boolean>
}

/** A server in a process of its own. */
export interface RunningServer {
  /** Stops answering, without closing anything, until it is resumed. */
  pause(): void
  resume(): void
  /** Ends it; by default at once, as a power cut would. */
  end(signal?: NodeJS.Signals): Promise<void>
  /** Starts again after an end, on the same port. */
  restart(): Promise<void>
}

/** Starts a server, and resolves when it serves. @throws when it ends before that. */
export async function runServer(start: ServerStart): Promise<RunningServer> {
  const { name, program, args, port, folder, owner, answers = () => listens(port) } = start
  const run = async (): Promise<ChildProcess> => {
    const server = spawn(program, args, { ...owner, cwd: folder, stdio: 'ignore' })
    while (!(await answers())) {
      if (server.exitCode !== null) throw new Error(`${name} ended while it started.`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    return server
  }
  let server = await run()
  return {
    pause: () => pause(server),
    resume: () => void server.kill('SIGCONT'),
    async end(signal = 'SIGKILL') {
      if (server.exitCode !== null || server.signalCode !== null) return
      const ended = new Promise((resolve) => server.once('exit', resolve))
      server.kill(signal)
      await ended
    },
    async restart() {
      server = await run()
    },
  }
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
