import { expect } from 'vitest'
import type { Job } from '../../src/jobs/index.ts'
import { eventually, type JobsCase } from './jobs.ts'
import { crashes, neverEnds, tellsPid } from './sandboxed-jobs.ts'

/** Jobs that need a process of their own. They have the same names in all tests, and the queue of theirs. */
export const sandboxCases: readonly JobsCase[] = [
  {
    name: 'a sandboxed job runs in a process of its own, and its worker hears of it',
    async run({ queue, open }) {
      const one = await open(tellsPid as Job)
      await one.work()
      const handle = await one.jobs.enqueue(tellsPid as Job, 1, { queue })
      const result = (await handle.result()) as { pid: number; attempt: number }
      expect(result.attempt).toBe(1)
      expect(result.pid).not.toBe(process.pid)
    },
  },
  {
    name: 'a sandboxed job that exits or leaks has failed, as an attempt, and its worker goes on',
    waits: true,
    async run({ queue, define, open }) {
      const beside = define('beside', () => 'went on')
      const one = await open(crashes as Job, beside)
      await one.work()
      for (const how of ['exit', 'leak']) {
        const handle = await one.jobs.enqueue(crashes as Job, how, { queue })
        await expect(handle.result()).rejects.toThrow(how === 'exit' ? 'has ended' : '64')
        expect(await handle.status()).toMatchObject({
          state: 'failed',
          attempts: 2,
          deaths: 0,
          error: { code: 'PLIMSOLL_JOB_CRASHED' },
        })
      }
      expect(await (await one.jobs.enqueue(beside, 1)).result()).toBe('went on')
    },
  },
  {
    name: 'what never ends is left behind when its time is over, and killed if it has a process of its own',
    waits: true,
    async run({ queue, define, open }) {
      const never = define('never', () => new Promise(() => {}), { timeout: '50ms', retry: false })
      const next = define('next', () => {})
      const one = await open(never, next, neverEnds as Job)
      await one.work({ concurrency: 2 })
      const handles = [await one.jobs.enqueue(never, 1), await one.jobs.enqueue(neverEnds as Job, 1, { queue })]
      await eventually(async () => {
        for (const handle of handles) expect((await handle.status())!.state).toBe('active')
      })
      // Both are in its way, and there is room for two.
      const after = await one.jobs.enqueue(next, 1)
      for (const handle of handles) {
        await expect(handle.result()).rejects.toThrow('did not end within')
        expect(await handle.status()).toMatchObject({
          state: 'failed',
          attempts: 1,
          deaths: 0,
          error: { code: 'PLIMSOLL_JOB_TIMEOUT' },
        })
      }
      await after.result()
    },
  },
]
