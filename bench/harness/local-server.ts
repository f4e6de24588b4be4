import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../../test/servers/free-port.ts'
import { findProgram } from './debian.ts'

/** A server of the bench's own; closing it stops it by its process id and deletes its folder. */
export interface LocalServer extends AsyncDisposable {
  readonly port: number
  readonly pid: number
}

/** How to start a server. */
export interface LocalServerOptions {
  readonly program: string
  readonly debianPackage: string
  /** Its arguments; `folder` is temporary and its own. */
  readonly args: (place: { readonly port: number; readonly folder: string }) => readonly string[]
}

/** Starts a server on a free loopback port and waits until it accepts connections. */
export async function startLocalServer({ program, debianPackage, args }: LocalServerOptions): Promise<LocalServer> {
  const path = findProgram(program, debianPackage)
  const folder = mkdtempSync(join(tmpdir(), 'plimsoll-bench-'))
  const port = await freePort()
  const server = spawn(path, [...args({ port, folder })], { stdio: ['ignore', 'ignore', 'pipe'], cwd: folder })
  let complaints = ''
  server.stderr.on('data', (chunk: Buffer) => (complaints += chunk.toString()))
  const exited = new Promise<void>((resolve) => server.once('exit', () => resolve()))
  const stop = async (): Promise<void> => {
    server.kill('SIGTERM')
    const killer = setTimeout(() => server.kill('SIGKILL'), 5000)
    await exited
    clearTimeout(killer)
    rmSync(folder, { recursive: true, force: true })
  }
  for (const deadline = Date.now() + 10_000; !(await accepts(port));) {
    if (server.exitCode === null && Date.now() < deadline) continue
    await stop()
    throw new Error(`${program} did not start: ${complaints.slice(0, 500)}`)
  }
  return { port, pid: server.pid!, [Symbol.asyncDispose]: stop }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('error', () => setTimeout(resolve, 20, false))
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
  })
}
