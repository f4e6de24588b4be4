import { execFile } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** A clip of 720p: movement, edges and some noise, as a camera has it. */
export async function makeClip(path: string, seconds: number): Promise<void> {
  const picture = `testsrc2=size=1280x720:rate=30:duration=${seconds},noise=alls=4:allf=t`
  const encoded = [
    '-c:v',
    'libx264',
    '-preset',
    'veryfast',
    '-crf',
    '23',
    '-pix_fmt',
    'yuv420p',
    '-c:a',
    'aac',
    '-shortest',
  ]
  const inputs = ['-f', 'lavfi', '-i', picture, '-f', 'lavfi', '-i', `sine=440:duration=${seconds}`]
  await run('ffmpeg', ['-v', 'error', '-nostdin', '-y', ...inputs, ...encoded, path])
}

/** A film of 720p: a clip of two minutes, over and over, which takes less time to make. */
export async function makeFilm(path: string, minutes: number): Promise<void> {
  const clip = `${path}-clip.mp4`
  await makeClip(clip, 120)
  await run(
    'ffmpeg',
    [
      ['-v', 'error', '-nostdin', '-y', '-stream_loop', String(minutes / 2 - 1), '-i', clip],
      ['-c', 'copy', path],
    ].flat(),
  )
  await rm(clip)
}
