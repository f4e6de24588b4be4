import type { App } from 'plimsoll'
import type { Job } from 'plimsoll/jobs'
import type { relations } from '../schema.ts'
import { greetVisitor, visitorOf } from './visitor.ts'

/** What visitors can have done, each at `POST /api/jobs/NAME`. */
export type VisitorJobs = Readonly<Record<string, Job<Record<string, never>, unknown>>>

/** Lets visitors enqueue jobs, and each of them see his own: under `/api/jobs`. */
export function offerJobs(app: App<typeof relations>, jobs: VisitorJobs): void {
  app.jobStatus({ path: '/api/jobs', owner: visitorOf })
  for (const [name, job] of Object.entries(jobs)) {
    app.fastify.post(`/api/jobs/${name}`, async (request, reply) => {
      const owner = greetVisitor(request, reply)
      // Who presses the button twice sees the job that is there already.
      return reply.accepted(await job.enqueue({}, { owner, tenant: owner, unique: `${name}:${owner}` }))
    })
  }
}
