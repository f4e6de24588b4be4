import type { App } from 'plimsoll'
import type { Job } from 'plimsoll/jobs'
import { greetVisitor, visitorOf } from '../jobs/visitor.ts'
import type { clips, ClipVideo, relations } from '../schema.ts'
import { takeCaptions } from './clip-captions.ts'
import { clipPaths, openFor, originalAddress, posterAddress, removeAll, serveClipFiles } from './clip-files.ts'
import { folderOf } from './clip-keys.ts'
import { lockClip } from './lock-clip.ts'
import { captionKeys, transcodeInput } from './transcode-clip.ts'

type Clip = typeof clips.$inferSelect

/** So many of his clips a visitor is shown. */
const mostShown = 50

/** Lets visitors bring clips, have them encoded, and watch them: under `/api/clips`. */
export function takeClips(app: App<typeof relations>, transcode: Job<ReturnType<typeof transcodeInput>>): void {
  const { db, fastify } = app
  serveClipFiles(app)

  app.uploads('/api/clips/uploads', {
    accept: ['video/*'],
    maxBytes: '5GB',
    authorize: (request) => visitorOf(request) ?? false,
    key: ({ id, name }) => `${folderOf(id)}/original/${name}`,
    // The clip and its job are there if and only if the upload is.
    async onStored({ id, key, name, size, owner }, tx) {
      const clip = { id, owner: owner!, title: titleOf(name), fileKey: key, fileName: name, fileSize: size }
      const job = await transcode.enqueue(transcodeInput(clip), { owner, tenant: owner })
      await tx.clips.create({ ...clip, jobId: job.id })
      return { clip: id }
    },
  })

  fastify.get('/api/clips', async (request, reply) => {
    const owner = greetVisitor(request, reply)
    const mine = await db.clips.filter({ owner }).orderBy('-createdAt', '-id').limit(mostShown)
    return noStore(reply).send({
      data: mine.map((clip) => toBody(clip, (video) => ({ poster: posterAddress(app, video) }))),
    })
  })

  fastify.get<Named>('/api/clips/:id', async (request, reply) => {
    const clip = await mine(request)
    if (clip === undefined) return reply.callNotFound()
    const cookies = app.cdn.features.grants === 'cookies'
    return noStore(reply).send(
      toBody(clip, (video) => ({ ...reply.grant(clipPaths(video), { expires: openFor }), cookies })),
    )
  })

  takeCaptions(app, {
    mine,
    change({ id }, edit) {
      return db.transaction(async (tx) => {
        const clip = await lockClip(tx, id)
        const captions = clip === undefined ? undefined : edit(clip.captions)
        if (clip === undefined || captions === undefined) return undefined
        const { owner, jobId, video } = clip
        const input = transcodeInput({ ...clip, captions })
        // Its first encode sees to them when it is done; a later one that is under way has other captions.
        if (video !== null && jobId !== null) await app.jobs.cancel(jobId)
        const job = video === null ? jobId : (await transcode.enqueue(input, { owner, tenant: owner })).id
        await tx.clips.filter({ id }).update({ captions, jobId: job })
        return { before: clip.captions, after: captions, job }
      })
    },
  })

  // For one whose encode has failed, such as for want of ffmpeg.
  fastify.post<Named>('/api/clips/:id/encode', async (request, reply) => {
    const clip = await mine(request)
    if (clip === undefined) return reply.callNotFound()
    const { id, owner } = clip
    const job = await transcode.enqueue(transcodeInput(clip), { owner, tenant: owner, unique: `clip:${id}` })
    await db.clips.filter({ id }).update({ jobId: job.id })
    return reply.accepted(job)
  })

  fastify.delete<Named>('/api/clips/:id', async (request, reply) => {
    const clip = await mine(request)
    if (clip === undefined) return reply.callNotFound()
    if (clip.jobId !== null) await app.jobs.cancel(clip.jobId)
    await db.clips.filter({ id: clip.id }).delete()
    await removeAll(app.files, `${folderOf(clip.id)}/`)
    return noStore(reply).send({ id: clip.id })
  })

  /** The clip that a request names, if it is his who asks. */
  async function mine(request: {
    readonly params: { readonly id: string }
    readonly headers: object
  }): Promise<Clip | undefined> {
    const owner = visitorOf(request)
    if (owner === undefined) return undefined
    const [clip] = await db.clips.filter({ id: request.params.id, owner }).limit(1)
    return clip
  }
}

interface Named {
  Params: { readonly id: string }
}

/** `addressesOf` says where what was made of it is found. */
function toBody(clip: Clip, addressesOf: (video: ClipVideo) => object): object {
  const { id, title, fileName, fileSize, jobId, video, createdAt } = clip
  const file = { name: fileName, size: fileSize, url: originalAddress(clip) }
  const captions = clip.captions.map(({ language, label }) => ({ language, label }))
  const known = { id, title, createdAt, job: jobId, file, captions }
  if (video === null) return { ...known, encoding: true, video: null }
  const { duration, bytes, renditions } = video
  // What is shown may have other captions than it is to have.
  const encoding = captionKeys(clip) !== (video.captions ?? []).join()
  return { ...known, encoding, video: { duration, bytes, renditions, ...addressesOf(video) } }
}

/** A file's name without its extension. */
function titleOf(name: string): string {
  return name.replace(/(?<=.)\.[^.]{1,8}$/, '')
}

function noStore<Reply extends { header(name: string, value: string): Reply }>(reply: Reply): Reply {
  return reply.header('cache-control', 'no-store')
}
