import { expect, test } from 'vitest'
import type { PlimsollError } from '../../../../src/core/errors.ts'
import { toMediaError } from '../../../../src/files/video/media-errors.ts'
import { ToolFailure } from '../../../../src/files/video/run-tool.ts'

test.each([
  [
    "Format not on whitelist 'mov,matroska'\n/work/7cdf43bfa529: Invalid argument",
    /^'a.gif' has a format that is not taken/,
  ],
  [
    "[qdm2 @ 0x55963c5cde80] Codec (qdm2) not on whitelist 'h264,hevc'\nError while opening decoder",
    /has a codec that/,
  ],
])('what is not taken is said in a sentence, without all that is: %j', (stderr, message) => {
  const failure = new ToolFailure('ffmpeg', { exitCode: 1, killedBy: null, stderr })
  const error = toMediaError(failure, { task: 'look into it', subject: 'a.gif', folder: '/work' }) as PlimsollError
  expect(error.code).toBe('PLIMSOLL_MEDIA_INVALID')
  expect(error.message).toMatch(message)
  expect(error.message).not.toContain('whitelist')
})

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
