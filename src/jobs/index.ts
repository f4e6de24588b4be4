export { defineJob } from './define-job.ts'
export { openJobs, type OpenJobsOptions } from './open-jobs.ts'
export type { JobEngine } from './contract.ts'
export type {
  EnqueueOptions,
  Job,
  JobContext,
  JobFailure,
  JobFilter,
  JobHandle,
  JobHandler,
  JobLog,
  JobOptions,
  JobProgress,
  Jobs,
  JobState,
  JobStatus,
  JobWorker,
  QueueCount,
  RetryOptions,
  SandboxOptions,
  Schema,
  UniqueOptions,
  WorkOptions,
} from './types.ts'
