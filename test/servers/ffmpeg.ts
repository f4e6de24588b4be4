import { spawnSync } from 'node:child_process'
import { reportMissing } from './debian.ts'

/** Where ffmpeg and ffprobe are: on the PATH, both or neither. */
export function findFfmpeg(): string | undefined {
  const there = ['ffmpeg', 'ffprobe'].every((name) => spawnSync(name, ['-version'], { stdio: 'ignore' }).status === 0)
  return there ? 'ffmpeg' : undefined
}

/** True when ffmpeg is there; says so when it is not. */
export function hasFfmpeg(): boolean {
  if (findFfmpeg() === undefined) reportMissing('ffmpeg', 'ffmpeg')
  return findFfmpeg() !== undefined
}
