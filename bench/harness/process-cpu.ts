import { readdirSync, readFileSync } from 'node:fs'

/**
 * The CPU time in microseconds that a process and its children have used, or several, read from Linux's `/proc`; 0 where there is no
 * such process or no `/proc`. PostgreSQL's backends and parallel workers are children of the postmaster.
 */
export function processTreeCpuUs(rootPid: number | readonly number[] | undefined): number {
  if (rootPid === undefined) return 0
  if (typeof rootPid !== 'number') return rootPid.reduce((sum, pid) => sum + processTreeCpuUs(pid), 0)
  let total = cpuUs(rootPid) + endedChildrenUs(rootPid)
  for (const name of listProcesses()) {
    if (parentOf(name) === rootPid) total += cpuUs(Number(name))
  }
  return total
}

/** The most memory in bytes that a process and its children have held, each at its own time; 0 where there is no such process or no `/proc`. */
export function processTreePeakBytes(rootPid: number): number {
  const children = listProcesses().filter((name) => parentOf(name) === rootPid)
  return [String(rootPid), ...children].reduce((sum, pid) => sum + peakBytes(pid), 0)
}

const peakBytes = (pid: string): number =>
  Number(/^VmHWM:\s+(\d+) kB$/m.exec(readProc(`${pid}/status`))?.[1] ?? 0) * 1024

const listProcesses = (): string[] => {
  try {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  } catch {
    return []
  }
}

/**
 * Of all threads: Memcached works in several. The first figure of `schedstat` is nanoseconds on a CPU; `stat` would only count
 * in hundredths of a second.
 */
const cpuUs = (pid: number): number =>
  listThreads(pid).reduce((sum, thread) => sum + (Number(readProc(`${thread}/schedstat`).split(' ')[0]) / 1000 || 0), 0)

const listThreads = (pid: number): string[] => {
  try {
    return readdirSync(`/proc/${pid}/task`).map((thread) => `${pid}/task/${thread}`)
  } catch {
    return []
  }
}

/** `cutime` and `cstime`, in hundredths of a second: what children that have ended took with them. */
const endedChildrenUs = (pid: number): number => {
  const fields = statFields(String(pid))
  return (Number(fields[13]) + Number(fields[14])) * 10_000 || 0
}

const parentOf = (pid: string): number => Number(statFields(pid)[1])

/** The fields after the command's name, which may itself hold spaces and brackets: state, parent, … */
const statFields = (pid: string): string[] => {
  const stat = readProc(`${pid}/stat`)
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}

const readProc = (path: string): string => {
  try {
    return readFileSync(`/proc/${path}`, 'utf8')
  } catch {
    return ''
  }
}
