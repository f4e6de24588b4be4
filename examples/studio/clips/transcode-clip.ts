import { defineVideo, type App, type Db } from 'plimsoll'
import { removeAll } from './clip-files.ts'
import { folderOf, idOf } from './clip-keys.ts'
import { lockClip } from './lock-clip.ts'
import type { ClipCaptions, ClipVideo, relations } from '../schema.ts'

/** Defines the job that makes an HLS and DASH package of a clip, and writes into its row what there is to play. */
export function defineTranscode(db: () => Db<typeof relations>) {
  const job = defineVideo('clips.transcode', {
    ladder: { sizes: [240, 360, 480, 720, 1080] },
    // Whoever may have a clip is asked again and again; what is under its keys never changes.
    cacheControl: 'private, max-age=86400, immutable',
    limits: { bytes: '5GB', duration: '3h' },
    async onReady(made, { source, captions = [] }, { files }) {
      const { hls, dash, poster, sprite, duration, bytes, prefix, renditions } = made
      const video: ClipVideo = {
        prefix,
        hls,
        dash,
        poster: poster ?? null,
        sprite: sprite?.index ?? null,
        duration,
        bytes,
        renditions: renditions.map(({ width, height, peakRate }) => ({ width, height, bitrate: peakRate })),
        captions: captions.map(({ key }) => key),
      }
      // Looked for before the row is read: those of a job that is enqueued after that are not among them.
      const stale = await staleCaptions(files, made)
      const old = await db().transaction(async (tx) => {
        const clip = await lockClip(tx, idOf(source))
        // Nobody is there to see it when the clip was removed meanwhile.
        if (clip === undefined) return undefined
        const isWanted = captionKeys(clip) === captionKeys({ captions })
        // Who has asked for others has had them added, or has waited for this one.
        if (!isWanted && clip.video !== null) return undefined
        const { id, owner } = clip
        const next = isWanted ? undefined : await job.enqueue(transcodeInput(clip), { owner, tenant: owner })
        await tx.clips.filter({ id }).update({ video, ...(next === undefined ? {} : { jobId: next.id }) })
        return clip.video
      })
      if (old === undefined) return
      if (old !== null && old.prefix !== prefix) await removeAll(files, `${old.prefix}/`)
      for (const one of stale) await removeAll(files, one)
    },
  })
  return job
}

interface Captioned {
  readonly prefix: string
  readonly captions: readonly { readonly key: string }[]
}

/** What the keys of captions begin with that are beside a package, and not in it. */
async function staleCaptions(
  files: Pick<App['files'], 'list'>,
  { prefix, captions }: Captioned,
): Promise<ReadonlySet<string>> {
  const kept = new Set(captions.map(({ key }) => key.replace(/\.vtt$/, '')))
  const stale = new Set<string>()
  for (let after: string | undefined; ;) {
    const { objects, next } = await files.list(`${prefix}/captions-`, { after })
    for (const { key } of objects) {
      const [name] = key.slice(prefix.length + 1).split(/[/.]/, 1)
      if (!kept.has(`${prefix}/${name}`)) stale.add(`${prefix}/${name}`)
    }
    if (next === undefined) return stale
    after = next
  }
}

/** Tells captions from others. */
export const captionKeys = ({ captions }: { readonly captions: readonly { readonly key: string }[] }): string =>
  captions.map(({ key }) => key).join()

/** What the job is given for a clip. */
export const transcodeInput = ({
  id,
  fileKey,
  captions = [],
}: {
  readonly id: string
  readonly fileKey: string
  readonly captions?: readonly ClipCaptions[]
}) => ({
  source: fileKey,
  to: folderOf(id),
  captions: captions.map(({ key, language, label }) => ({ key, language, label })),
})
