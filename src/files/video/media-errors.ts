import { statfs } from 'node:fs/promises'
import { isPlimsollError, PlimsollError, type PlimsollErrorOptions } from '../../core/errors.ts'
import type { ErrorCode } from '../../core/error-codes.ts'
import { diskFull, ToolFailure } from './run-tool.ts'

/** What a program was doing, and where, for the message of an error. */
export interface ToolTask {
  /** As in `ffmpeg could not …`. */
  readonly task: string
  /** What its own file is called, such as the key of the source. */
  readonly subject: string
  readonly folder: string
  /** True when there was no room left in the folder afterwards. Default false. */
  readonly full?: boolean | undefined
}

/** The file does not fit in what is left of a bound. */
const memoryGone = /Cannot allocate memory|bad_alloc|malloc of size|Error while opening decoder.*memory/i
/** What ffmpeg says of frames that are larger than it was told to decode. */
const oversized = /Picture size (\d+x\d+) exceeds specified max pixel count (\d+)/
/** Where less than this is left, it is the disk that a program could not go on for, whatever it says. */
const leastRoom = 65_536
/** What ffmpeg says of files that it could read, and is not to: it goes on with all that it may. */
const notTaken = /(Format|Codec) .*not on whitelist/
/** What ffmpeg says of files that are not what they seem to be; it is the same for a retry. */
const unreadable = [
  /Invalid data found/i,
  /not on whitelist/i,
  /moov atom not found/i,
  /could not find codec parameters/i,
  /does not contain any stream/i,
  /Unknown format|Unknown input format/i,
  /Invalid argument/i,
  /End of file/i,
  /Error number -\d+ occurred/i,
  /Picture size .* is invalid|Conversion failed/i,
  /Function not implemented|not supported|Decoder .* not found|decoder not found/i,
]

/**
 * Says what has become of a program in terms of the media: PLIMSOLL_MEDIA_INVALID, _MEDIA_TOO_LARGE, PLIMSOLL_STORAGE_FULL for the folder
 * that is worked in, or _MEDIA_TOOL_FAILED. Other errors stay what they are.
 */
export function toMediaError(error: unknown, { task, subject, folder, full = false }: ToolTask): unknown {
  if (!(error instanceof ToolFailure)) return error
  const said = lastWords(error.stderr, folder)
  const details = { subject, exitCode: error.exitCode, killedBy: error.killedBy, said }
  const options = { cause: error, details }
  if (full || diskFull.test(error.stderr)) {
    const message = `There is no room left in the folder for temporary files to ${task}.`
    return new PlimsollError('PLIMSOLL_STORAGE_FULL', message, options)
  }
  if (error.killedBy === 'SIGXFSZ' || /File too large/i.test(error.stderr))
    return mediaError(
      'PLIMSOLL_MEDIA_TOO_LARGE',
      `'${subject}' makes a file of more bytes than limits.bytes allows`,
      options,
    )
  const large = oversizedError(error.stderr, subject)
  if (large !== undefined) return large
  if (memoryGone.test(error.stderr))
    return mediaError('PLIMSOLL_MEDIA_TOO_LARGE', `'${subject}' needs more memory than limits.memory allows`, options)
  const [, what] = notTaken.exec(error.stderr) ?? []
  if (what !== undefined) {
    const message = `'${subject}' has a ${what.toLowerCase()} that is not taken, or is no video or sound at all`
    return mediaError('PLIMSOLL_MEDIA_INVALID', message, options)
  }
  if (unreadable.some((pattern) => pattern.test(error.stderr)))
    return mediaError('PLIMSOLL_MEDIA_INVALID', `'${subject}' cannot be read: ${said}`, options)
  return mediaError(
    'PLIMSOLL_MEDIA_TOOL_FAILED',
    `${error.message.slice(0, -1)}, and could not ${task}: ${said}`,
    options,
  )
}

/** The error for frames that were too large to be looked at, by what ffmpeg has said. */
export function oversizedError(stderr: string, subject: string): PlimsollError | undefined {
  const [, size, most] = oversized.exec(stderr) ?? []
  if (size === undefined) return undefined
  const message = `'${subject}' has frames of ${size.replace('x', '×')} pixels, more than the ${most} of limits.pixels`
  return mediaError('PLIMSOLL_MEDIA_TOO_LARGE', message, { details: { subject, size } })
}

/** Runs what runs a program, with its failures told as {@link toMediaError} tells them. */
export async function asMedia<T>(task: ToolTask, run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    throw toMediaError(error, { ...task, full: error instanceof ToolFailure && (await isFull(task.folder)) })
  }
}

/** The packager speaks of a full disk in many ways, and ffmpeg at times of none. */
async function isFull(folder: string): Promise<boolean> {
  const room = await statfs(folder).catch(() => undefined)
  return room !== undefined && room.bavail * room.bsize < leastRoom
}

/** An error of media: the message is its sentence without the full stop. */
export function mediaError(code: ErrorCode, message: string, options: PlimsollErrorOptions = {}): PlimsollError {
  return new PlimsollError(code, `${message}.`, options)
}

/** True for what another attempt would meet again, with the same file and options. */
export function isLasting(error: unknown): boolean {
  const lasting = [
    'PLIMSOLL_MEDIA_INVALID',
    'PLIMSOLL_MEDIA_TOO_LARGE',
    'PLIMSOLL_MEDIA_TOOL_MISSING',
    'PLIMSOLL_FILE_NOT_FOUND',
    'PLIMSOLL_FILE_KEY_INVALID',
    'PLIMSOLL_OPTION_INVALID',
  ] as const
  return lasting.some((code) => isPlimsollError(error, code))
}

/** The last lines that a program has said, without the paths and addresses of memory in them. */
function lastWords(stderr: string, folder: string): string {
  const lines = stderr
    .replaceAll(folder, '')
    .replaceAll(/\[[\w,@/ ]+ @ 0x[0-9a-f]+\] /g, '')
    .replaceAll(/(?:file:)?\/(?:[\w.@+-]+\/)*([\w.@+-]*)/g, '$1')
    .split(/[\r\n]+/)
    .map((line) => line.trim().replace(/[.:]+$/, ''))
    .filter((line) => line !== '')
  return [...new Set(lines.slice(-3))].join('; ').slice(-400) || 'it says nothing'
}
