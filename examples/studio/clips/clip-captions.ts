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
  /**
   * Has a clip encoded with other captions: those that `edit` makes of the ones that it has, which nobody else changes meanwhile. Undefined
   * when `edit` gives none.
   */
  readonly change: (clip: Clip, edit: (captions: Captions) => Captions | undefined) => Promise<Changed | undefined>
}

type Captions = readonly ClipCaptions[]

/** What has become of the captions of a clip. */
export interface Changed {
  readonly before: Captions
  readonly after: Captions
  /** The id of the job that encodes it. */
  readonly job: string | null
}

const type = 'text/vtt'
const mostBytes = 1_000_000
const most = 20

/** Lets visitors add captions to their clips, a WebVTT file for each language, and take them off again. */
export function takeCaptions({ files, fastify }: App<typeof relations>, { mine, change }: CaptionOptions): void {
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
      try {
        checkWebVtt(request.body, label)
      } catch (error) {
        if (!isPlimsollError(error, 'PLIMSOLL_MEDIA_INVALID')) throw error
        return refuse(error.message.replace(/\.$/, ''))
      }
      const key = `${folderOf(clip.id)}/captions/${language}-${randomUUID()}.vtt`
      await files.put(key, request.body, { type: `${type}; charset=utf-8`, cacheControl: 'private, no-store' })
      const changed = await change(clip, (captions) => {
        const others = captions.filter((one) => one.language !== language)
        return others.length < most ? [...others, { key, language, label }] : undefined
      })
      if (changed !== undefined) return settle(changed)
      await files.delete([key])
      return refuse(`A clip has captions in up to ${most} languages`)
    })

    scope.delete<Named>(path, async (request, reply) => {
      const clip = await mine(request)
      if (clip === undefined) return reply.callNotFound()
      const { language } = request.params
      const changed = await change(clip, (captions) =>
        captions.some((one) => one.language === language)
          ? captions.filter((one) => one.language !== language)
          : undefined,
      )
      return changed === undefined ? { job: clip.jobId } : settle(changed)
    })
  })

  async function settle({ before, after, job }: Changed): Promise<{ readonly job: string | null }> {
    const gone = before.filter(({ key }) => after.every((one) => one.key !== key))
    if (gone.length > 0) await files.delete(gone.map(({ key }) => key))
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
