import { existsSync } from 'node:fs'
import { join, relative } from 'node:path'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

const root = join(import.meta.dirname, '../..')

/** The files that take longer than 30 seconds, the longest first. After an installation Vitest knows only how large files are. */
const longest = [
  'test/faults/jobs-rabbitmq.test.ts',
  'test/faults/jobs-redis-processes.test.ts',
  'test/drivers/jobs.test.ts',
  'test/integration/docs/pages.test.ts',
  'test/e2e/studio-clips.test.ts',
  'test/e2e/studio-clips-elsewhere.test.ts',
  'test/e2e/studio.test.ts',
  'test/faults/jobs-redis.test.ts',
  'test/faults/jobs.test.ts',
  'test/e2e/studio-starts.test.ts',
  'test/integration/cdn/app-purges.test.ts',
  'test/faults/cache.test.ts',
  'test/integration/jobs/relay.test.ts',
  'test/integration/jobs/sandbox.test.ts',
  'test/e2e/studio-jobs.test.ts',
  'test/faults/jobs-rabbitmq-answers.test.ts',
  'test/faults/jobs-rabbitmq-timeout.test.ts',
  'test/drivers/door.test.ts',
  'test/faults/video-storage.test.ts',
  'test/integration/video/chunks.test.ts',
  'test/integration/jobs/workflows.test.ts',
  'test/faults/door.test.ts',
  'test/faults/full-disk.test.ts',
  'test/integration/http/jobs-events.test.ts',
  'test/integration/jobs/observability.test.ts',
  'test/integration/jobs/schedules.test.ts',
  'test/faults/uploads.test.ts',
  'test/e2e/upload-s3.test.ts',
  'test/integration/reports/large.test.ts',
  'test/integration/reports/old-reports.test.ts',
  'test/drivers/codecs.test.ts',
  'test/faults/video.test.ts',
  'test/integration/http/uploads/content.test.ts',
  'test/e2e/studio-jobs-killed.test.ts',
  'test/drivers/cache-store.test.ts',
  'test/faults/storage.test.ts',
  'test/integration/http/hostile-input.test.ts',
  'test/integration/http/uploads/uploads.test.ts',
  'test/e2e/upload.test.ts',
  'test/integration/http/jobs.test.ts',
  'test/integration/replicas/outages.test.ts',
  'test/unit/cache/interleavings.test.ts',
  'test/drivers/file-store-s3.test.ts',
  'test/integration/video/package.test.ts',
]

/** Has the longest files begin first, so that in the end no processor waits for one of them. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const missing = longest.filter((file) => !existsSync(join(root, file)))
    if (missing.length > 0) throw new Error(`test/servers/longest-first.ts names files that are not there: ${missing}`)
    const rank = ({ moduleId }: TestSpecification): number => {
      const at = longest.indexOf(relative(root, moduleId))
      return at === -1 ? longest.length : at
    }
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b))
  }
}
