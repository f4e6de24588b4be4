import { defineJob, defineSchedule, type Job, type Schedule } from '../../../src/jobs/index.ts'
import { anything } from '../../drivers/anything.ts'

/** What the schedules of the tests enqueue; what came of it says when it was for. */
export const noteTime = defineJob('note-time', { input: anything<string>(), keep: '1d' }, async (time) => time)

/** A schedule that two processes share. */
export function hourly(input: (at: Date) => string, job: Job<string> = noteTime): Schedule {
  return defineSchedule('hourly', { every: '1h', job, input })
}
