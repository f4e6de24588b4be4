import { execFileSync } from 'node:child_process'

/** The processes that make images for a process. */
export function imageProcesses(parent: number): number[] {
  const listed = execFileSync('ps', ['-e', '-o', 'pid=,ppid=,args='], { encoding: 'utf8' }).split('\n')
  return listed.flatMap((line) => {
    const [, pid, ppid] = /^\s*(\d+)\s+(\d+)\s.*image-child/.exec(line) ?? []
    return Number(ppid) === parent ? [Number(pid)] : []
  })
}
