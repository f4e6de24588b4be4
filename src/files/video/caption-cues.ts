import { mediaError } from './media-errors.ts'

/** What captions are held against. */
export interface CueBounds {
  /** The key of the captions. */
  readonly subject: string
  /** When the video ends, in seconds, or the latest that it may. */
  readonly endS: number
  /** How long a segment is, in seconds. */
  readonly segmentS: number
}

/** By how much captions may outlast their video, in seconds. */
const overrunS = 60
const mostBytes = 50 * 1024 ** 2

const time = String.raw`(?:(\d{2,}):)?(\d{2}):(\d{2}\.\d{3})`

/** The line of a cue that says when it is shown, without spaces around it. */
export const cueTiming = new RegExp(`^${time}[ \\t]+-->[ \\t]+${time}(?:[ \\t]|$)`)

/**
 * Checks what WebVTT, whose times are known to be such, would make in segments: there is one for each stretch of time until the last cue, and each repeats the styles, and all
 * cues that are shown in it.
 *
 * @throws PLIMSOLL_MEDIA_INVALID for a cue that ends more than a minute after the video; PLIMSOLL_MEDIA_TOO_LARGE for segments of more than 50 MB in all
 */
export function checkCues(text: string, { subject, endS, segmentS }: CueBounds): void {
  const details = { subject }
  let bytes = 0
  let head = 0
  let last = 0
  for (const { from, until, line, size } of cuesOf(text)) {
    if (line === 0) {
      head = size
      continue
    }
    if (until > endS + overrunS) {
      const message = `The captions '${subject}' have a cue in line ${line} that ends at ${until} s, more than a minute after the video, which ends at ${endS} s`
      throw mediaError('PLIMSOLL_MEDIA_INVALID', message, { details })
    }
    last = Math.max(last, until)
    bytes += size * Math.max(1, Math.ceil((until - from) / segmentS) + 1)
  }
  bytes += head * Math.ceil(last / segmentS)
  if (bytes > mostBytes) {
    const message = `The captions '${subject}' have cues so long, or styles so large, that their segments are more than ${mostBytes} bytes`
    throw mediaError('PLIMSOLL_MEDIA_TOO_LARGE', message, { details })
  }
}

interface Cue {
  /** Of its times, counted from 1; 0 for what comes before all cues. */
  readonly line: number
  /** In seconds. */
  readonly from: number
  readonly until: number
  /** In bytes. */
  size: number
}

function cuesOf(text: string): readonly Cue[] {
  const cues: [Cue, ...Cue[]] = [{ line: 0, from: 0, until: 0, size: 0 }]
  for (const [at, line] of text.split(/\r\n|\n|\r/).entries()) {
    const [times, fromH, fromM, fromS, untilH, untilM, untilS] = cueTiming.exec(line.trim()) ?? []
    if (times !== undefined)
      cues.push({ line: at + 1, from: seconds(fromH, fromM, fromS), until: seconds(untilH, untilM, untilS), size: 0 })
    cues.at(-1)!.size += Buffer.byteLength(line) + 1
  }
  return cues
}

function seconds(hours = '0', minutes = '0', rest = '0'): number {
  return Number(hours) * 3600 + Number(minutes) * 60 + Number(rest)
}
