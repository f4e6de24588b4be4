export { defineJob } from './define-job.ts'
export { openJobs, type OpenJobsOptions } from './open-jobs.ts'
export type { JobEngine } from './contract.ts'
export type { MailAddress } from './mail/address.ts'
export { defineMail, type DefineMailOptions, type MailTemplate, type MailTemplates } from './mail/define-mail.ts'
export { html, rawHtml, type Html, type HtmlValue } from './mail/html.ts'
export type {
  KeptMail,
  Mail,
  MailAddresses,
  MailAttachment,
  MailMessage,
  MailOptions,
  MailReceipt,
} from './mail/types.ts'
export { defineSchedule, type Schedule, type ScheduleOptions } from './schedule/define-schedule.ts'
export type { MissedPolicy } from './schedule/due-occurrences.ts'
export { chain, chord, group, mapChunks, type ChunkOptions } from './workflow/steps.ts'
export type {
  ChunkSource,
  Flow,
  FlowHandle,
  FlowState,
  FlowStatus,
  FlowStep,
  FlowStepState,
  StartOptions,
} from './workflow/types.ts'
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
