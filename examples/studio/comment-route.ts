import { sql } from 'drizzle-orm'
import type { App } from 'plimsoll'
import type { relations } from './schema.ts'

/** Who readers without an account write as. */
const guest = { handle: 'guest', name: 'A reader' }

const schema = {
  params: { type: 'object', properties: { videoId: { type: 'integer' } } },
  body: {
    type: 'object',
    required: ['body'],
    properties: { body: { type: 'string', minLength: 1, maxLength: 2000, pattern: String.raw`\S` } },
  },
} as const

/** Takes comments under films: `POST /api/videos/:videoId/comments`. Whoever reads the film or its comments next sees them. */
export function takeComments({ db, fastify }: App<typeof relations>): void {
  fastify.post<{ Params: { videoId: number }; Body: { body: string } }>(
    '/api/videos/:videoId/comments',
    { schema },
    async (request, reply) => {
      const { videoId } = request.params
      const body = request.body.body.trim()
      const comment = await db.transaction(async (tx) => {
        const films = tx.videos.filter({ id: videoId, status: 'published' })
        if ((await films.update({ commentCount: sql`comment_count + 1` })) === 0) return undefined
        await tx.users.createMany([guest], { onConflict: 'ignore' })
        const { id: authorId } = await tx.users.get({ handle: guest.handle })
        return tx.comments.create({ videoId, authorId, body })
      })
      if (comment === undefined) return reply.callNotFound()
      return reply.code(201).send({ id: comment.id, body, createdAt: comment.createdAt, author: { name: guest.name } })
    },
  )
}
