import type { App } from 'plimsoll'
import type { Job } from 'plimsoll/jobs'
import type { relations } from '../schema.ts'
import { greetVisitor, visitorOf } from './visitor.ts'

/** Something that visitors can have done. */
export interface VisitorJob {
  readonly job: Job
  /** What it is enqueued with. */
  readonly input: () => unknown
}

/** Lets visitors enqueue jobs, each at `POST /api/jobs/NAME`, and each of them see his own: under `/api/jobs`. */
export function offerJobs(app: App<typeof relations>, jobs: Readonly<Record<string, VisitorJob>>): void {
  app.jobStatus({ path: '/api/jobs', owner: visitorOf })
  for (const [name, { job, input }] of Object.entries(jobs)) {
    app.fastify.post(`/api/jobs/${name}`, async (request, reply) => {
      const owner = greetVisitor(request, reply)
      // Who presses the button twice sees the job that is there already.
      return reply.accepted(await job.enqueue(await input(), { owner, tenant: owner, unique: `${name}:${owner}` }))
    })
  }
}
