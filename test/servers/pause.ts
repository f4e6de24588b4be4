import type { ChildProcess } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

/**
 * Stops a server with SIGSTOP, and returns when it has stopped: until its first thread has run, the signal only waits, and the
 * others of its threads still answer.
 */
export function pause(server: ChildProcess): void {
  if (!server.kill('SIGSTOP')) throw new Error('The server to pause has ended.')
  const deadline = performance.now() + 10_000
  while (!threadsOf(server.pid!).every(isStopped)) {
    if (performance.now() > deadline) throw new Error('The server to pause still runs 10 s after SIGSTOP.')
    Atomics.wait(cell, 0, 0, 1)
  }
}

/** What `/proc/[pid]/task/[tid]/stat` says of each thread. */
function threadsOf(pid: number): string[] {
  const tasks = `/proc/${pid}/task`
  return readdirSync(tasks).map((thread) => readFileSync(`${tasks}/${thread}/stat`, 'latin1'))
}

/** The state is the first letter behind the name, which stands in brackets and may hold any character. */
function isStopped(stat: string): boolean {
  return stat[stat.lastIndexOf(')') + 2] === 'T'
}

const cell = new Int32Array(new SharedArrayBuffer(4))
