export { defineJob } from '../jobs/define-job.ts'
export { defineSchedule } from '../jobs/schedule/define-schedule.ts'
export { chain, chord, group, mapChunks } from '../jobs/workflow/steps.ts'
export { defineMail } from '../jobs/mail/define-mail.ts'
export { html, rawHtml } from '../jobs/mail/html.ts'
export {
  defineImages,
  type DefineImagesOptions,
  type ImagesInput,
  type ImagesOutput,
} from './ready-made/define-images.ts'
export {
  defineReport,
  type DefineReportOptions,
  type ReportColumn,
  type ReportOutput,
} from './ready-made/define-report.ts'
export { defineVideo, type DefineVideoOptions, type VideoServices } from './ready-made/define-video.ts'
export { createApp, type App, type AppOptions, type ListenOptions } from './create-app.ts'
export { memcachedStore } from '../cache/drivers/memcached/memcached-store.ts'
export { memoryStore } from '../cache/drivers/memory/memory-store.ts'
export { redisStore } from '../cache/drivers/redis/redis-store.ts'
export { diskStore } from '../files/drivers/disk/disk-store.ts'
export { gcsStore } from '../files/drivers/gcs/gcs-store.ts'
export { s3Store } from '../files/drivers/s3/s3-store.ts'
export { openFileStore } from './open-files.ts'
export { databaseEngine } from '../jobs/drivers/database/database-engine.ts'
export { rabbitmqEngine } from '../jobs/drivers/rabbitmq/rabbitmq-engine.ts'
export { redisEngine } from '../jobs/drivers/redis/redis-engine.ts'
export { openQueue, type QueueOptions } from './open-queue.ts'
export { isPlimsollError, PlimsollError } from '../core/errors.ts'
export { prefetch } from '../db/prefetch.ts'
export type { Db, Tx } from '../db/types.ts'
export type { AddResource, ResourceOptions, Scope } from '../http/index.ts'
