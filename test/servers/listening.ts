import type { ChildProcess } from 'node:child_process'
import { connect } from 'node:net'

/** Resolves when `server`, which was just started, listens on its port. @throws when it ends before that. */
export async function untilListening(server: ChildProcess, port: number, name: string): Promise<void> {
  while (!(await accepts(port))) {
    if (server.exitCode !== null) throw new Error(`${name} ended while it started.`)
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => resolve(true)).once('error', () => setTimeout(resolve, 20, false))
    socket.once('connect', () => socket.destroy())
  })
}
