import type { FastifyReply } from 'fastify'
import { PlimsollError } from '../../core/errors.ts'
import type { JobHandle } from '../../jobs/index.ts'
import { jobPlaces } from './job-places.ts'

/**
 * Answers that something was enqueued: 202 Accepted (RFC 9110, section 15.3.3), with where it can be followed.
 *
 * @throws PLIMSOLL_OPTION_INVALID when jobs cannot be seen anywhere
 */
export function answerAccepted(
  reply: FastifyReply,
  { id, duplicate }: Pick<JobHandle, 'id' | 'duplicate'>,
  path: string | undefined,
): FastifyReply {
  if (path === undefined) {
    throw new PlimsollError(
      'PLIMSOLL_OPTION_INVALID',
      "reply.accepted(handle) names where the job can be seen; say so before: app.jobStatus({ path: '/jobs', owner }).",
      { details: { option: 'jobStatus' } },
    )
  }
  const { self, events } = jobPlaces(path, id)
  return reply
    .code(202)
    .header('location', self)
    .header('cache-control', 'no-store')
    .send({ id, duplicate, status: self, events })
}
