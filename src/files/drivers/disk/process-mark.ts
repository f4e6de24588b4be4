import { createHash } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'

/** A name, a boot of it and, on Linux, a namespace of process ids. */
const machine = createHash('sha256')
  .update([hostname(), readText('/proc/sys/kernel/random/boot_id'), namespace()].join('\n'))
  .digest('hex')
  .slice(0, 12)

/**
 * What tells this process from all others, also from those that get its id later: `machine.pid.start`. The start is counted in the kernel's
 * ticks since the machine's boot.
 */
export const processMark: string = `${machine}.${process.pid}.${startOf(process.pid) ?? 0}`

/** True when the process of a mark has ended; undefined when this cannot be known, as of another machine. */
export function hasEnded(mark: string): boolean | undefined {
  const [where, pid, start] = mark.split('.')
  if (where !== machine || !/^\d+$/.test(pid ?? '')) return undefined
  try {
    process.kill(Number(pid), 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH'
  }
  const now = startOf(Number(pid))
  // Where the start cannot be read, a process of that id counts as the one.
  return now !== undefined && start !== '0' && String(now) !== start
}

function namespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid')
  } catch {
    return ''
  }
}

/** The 22nd field of `/proc/[pid]/stat`; of a zombie, which has ended, -1. Undefined where there is no such file. */
function startOf(pid: number): number | undefined {
  const stat = readText(`/proc/${pid}/stat`)
  if (stat === '') return undefined
  // The name stands in brackets and may hold any character.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields[0] === 'Z' ? -1 : Number(fields[19])
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}
