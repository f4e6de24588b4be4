import { randomUUID } from 'node:crypto'
import { isPlimsollError, type App } from 'plimsoll'
import { checkWebVtt } from 'plimsoll/files'
import type { clips, ClipCaptions, relations } from '../schema.ts'
import { folderOf } from './clip-keys.ts'

type Clip = typeof clips.$inferSelect

/** What the routes of captions are added with. */
export interface CaptionOptions {
  /** The clip that a request names, if it is his who asks. */
  readonly mine: (request: {
    readonly params: { readonly id: string }
    readonly headers: object
  }) => Promise<Clip | undefined>
  /** Has a clip encoded with these captions; resolves to the id of the job. */
  readonly encode: (clip: Clip, captions: readonly ClipCaptions[]) => Promise<string>
}

const type = 'text/vtt'
const mostBytes = 1_000_000
const most = 20

/** Lets visitors add captions to their clips, a WebVTT file for each language, and take them off again. */
export function takeCaptions({ files, fastify }: App<typeof relations>, { mine, encode }: CaptionOptions): void {
  const path = '/api/clips/:id/captions/:language'
  void fastify.register(async (scope) => {
    scope.addContentTypeParser(type, { parseAs: 'buffer', bodyLimit: mostBytes }, (_, body, done) => done(null, body))

    scope.put<Named>(path, async (request, reply) => {
      const clip = await mine(request)
      if (clip === undefined) return reply.callNotFound()
      const refuse = (title: string): typeof reply => reply.code(422).send({ title, status: 422 })
      const { language } = request.params
      const label = nameOf(language)
      if (label === undefined) return refuse('This is no language')
      if (!Buffer.isBuffer(request.body)) return reply.code(415).send({ title: `Captions are ${type}`, status: 415 })
      const others = clip.captions.filter((one) => one.language !== language)
      if (others.length >= most) return refuse(`A clip has captions in up to ${most} languages`)
      try {
        checkWebVtt(request.body, label)
      } catch (error) {
        if (!isPlimsollError(error, 'PLIMSOLL_MEDIA_INVALID')) throw error
        return refuse(error.message.replace(/\.$/, ''))
      }
      const key = `${folderOf(clip.id)}/captions/${language}-${randomUUID()}.vtt`
      await files.put(key, request.body, { type: `${type}; charset=utf-8`, cacheControl: 'private, no-store' })
      return change(clip, [...others, { key, language, label }])
    })

    scope.delete<Named>(path, async (request, reply) => {
      const clip = await mine(request)
      if (clip === undefined) return reply.callNotFound()
      const others = clip.captions.filter(({ language }) => language !== request.params.language)
      return others.length === clip.captions.length ? { job: clip.jobId } : change(clip, others)
    })
  })

  async function change(clip: Clip, captions: readonly ClipCaptions[]): Promise<{ readonly job: string }> {
    const job = await encode(clip, captions)
    const given = clip.captions.filter(({ key }) => captions.every((one) => one.key !== key))
    if (given.length > 0) await files.delete(given.map(({ key }) => key))
    return { job }
  }
}

interface Named {
  Params: { readonly id: string; readonly language: string }
}

/** A language as it calls itself; undefined for a tag that names none. */
function nameOf(language: string): string | undefined {
  if (!/^[a-z]{2,3}(?:-[A-Z]{2})?$/.test(language)) return undefined
  return new Intl.DisplayNames([language], { type: 'language', fallback: 'none' }).of(language)
}
