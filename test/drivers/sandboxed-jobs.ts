// What the cases of sandboxes run: the processes import this module, which imports little.
import { flushCompileCache } from 'node:module'
import { defineJob } from '../../src/jobs/define-job.ts'
import { anything } from './anything.ts'

const sandbox = { module: import.meta.url, memory: '64MB' } as const
const twice = { attempts: 2, first: 1, most: 1 } as const

/** Says which process it has run in, and how far it is. */
export const tellsPid = defineJob(
  'sandboxed.pid',
  { input: anything<number>(), sandbox },
  (_, { attempt, progress }) => {
    progress(1, 2, 'half')
    return { pid: process.pid, attempt }
  },
)

/** Ends its process, or needs more memory than it may have. */
export const crashes = defineJob(
  'sandboxed.crash',
  { input: anything<'exit' | 'leak'>(), sandbox, retry: twice },
  (how) => {
    if (how === 'exit') process.exit(0)
    const kept: unknown[] = []
    for (;;) kept.push(Array.from({ length: 10_000 }, (_, i) => ({ i })))
  },
)

/** Never hands its loop back. */
export const neverEnds = defineJob(
  'sandboxed.endless',
  { input: anything<number>(), sandbox, retry: false, timeout: 1000 },
  () => {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
  },
)

// What this process has compiled is there for the next one: it is killed, and would not come to keep it.
flushCompileCache()
