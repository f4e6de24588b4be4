import { defineJob, defineSchedule, type Job, type Schedule, type Schema } from '../../../src/jobs/index.ts'

const text: Schema<string> = {
  '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value: value as string }) },
}

/** What the schedules of the tests enqueue; what came of it says when it was for. */
export const noteTime = defineJob('note-time', { input: text, keep: '1d' }, async (time) => time)

/** A schedule that two processes share. */
export function hourly(input: (at: Date) => string, job: Job<string> = noteTime): Schedule {
  return defineSchedule('hourly', { every: '1h', job, input })
}
