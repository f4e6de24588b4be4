import { defineVideo } from '../../src/app/index.ts'
import type { ToolPaths } from '../../src/files/video/types.ts'

export const secret = 'a secret of the tests'

/** A job whose chunks of 2 s other workers may encode. */
export function sharedVideo({ folder, ffmpeg }: { readonly folder?: string | undefined; readonly ffmpeg: string }) {
  const tools: ToolPaths = { ffmpeg, ffprobe: 'ffprobe' }
  const ladder = { sizes: [90], preset: 'ultrafast' } as const
  return defineVideo('video.shared', { ladder, segment: '2s', chunk: '2s', share: '3s', sprite: false, tools, folder })
}
