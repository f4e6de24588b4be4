import { expect, test } from 'vitest'
import { toMediaError } from '../../../../src/files/video/media-errors.ts'
import { ToolFailure } from '../../../../src/files/video/run-tool.ts'

test.each([
  [{ killedBy: 'SIGXFSZ', stderr: '' }, 'limits.bytes'],
  [{ killedBy: null, stderr: 'av_interleaved_write_frame(): File too large' }, 'limits.bytes'],
  [{ killedBy: null, stderr: 'Cannot allocate memory' }, 'limits.memory'],
  [{ killedBy: null, stderr: 'Picture size 9000x9000 exceeds specified max pixel count 100' }, 'limits.pixels'],
] as const)('what is too large for a program, as %j, names the limit to raise: %s', (ended, limit) => {
  const failure = new ToolFailure('ffmpeg', { exitCode: null, ...ended })
  expect(toMediaError(failure, { task: 'encode it', subject: 'a.mp4', folder: '/work' })).toMatchObject({
    code: 'PLIMSOLL_MEDIA_TOO_LARGE',
    message: expect.stringContaining(limit),
  })
})
