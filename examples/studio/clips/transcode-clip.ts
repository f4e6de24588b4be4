import { defineVideo, type Db } from 'plimsoll'
import { removeAll } from './clip-files.ts'
import { folderOf, idOf } from './clip-keys.ts'
import type { ClipCaptions, ClipVideo, relations } from '../schema.ts'

/** Defines the job that makes an HLS and DASH package of a clip, and writes into its row what there is to play. */
export function defineTranscode(db: () => Db<typeof relations>) {
  return defineVideo('clips.transcode', {
    ladder: { sizes: [240, 360, 480, 720, 1080] },
    // Short ones: the first picture comes sooner, and whoever seeks waits for less.
    segment: '2s',
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
      const clip = db().clips.filter({ id: idOf(source) })
      const [before] = await clip.limit(1)
      // Nobody is there to see it when the clip was removed meanwhile.
      await clip.update({ video })
      const old = before?.video?.prefix
      if (old !== undefined && old !== prefix) await removeAll(files, `${old}/`)
    },
  })
}

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
