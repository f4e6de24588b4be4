import { createHash } from 'node:crypto'
import type { StoredObject } from '../contract.ts'
import { complexityOf } from './complexity.ts'
import { toChunks, type EncodePlan, type VideoPlan } from './encode-plan.ts'
import { ladder } from './ladder.ts'
import { mediaError } from './media-errors.ts'
import { measure } from './measure.ts'
import { probe, type ProbeOptions } from './probe.ts'
import { outputRate } from './stream-facts.ts'
import type { VideoTools } from './tools.ts'
import type { VideoStream } from './types.ts'
import type { VideoSettings } from './video-settings.ts'
import { PlimsollError } from '../../core/errors.ts'

/** Packages of another version are made anew. */
const version = 1

/** Names a source's bytes, what is made of them, and the captions beside it: the same each time. */
export function planId(
  source: StoredObject,
  { settings, captions }: { settings: VideoSettings; captions: readonly (readonly [string, string, string])[] },
): string {
  const { limits: _limits, cacheControl: _cacheControl, folder: _folder, rate, ...made } = settings
  const named = [version, source.key, source.etag, source.size, made, rate === undefined ? '' : String(rate), captions]
  return createHash('sha256').update(JSON.stringify(named)).digest('hex').slice(0, 20)
}

/** A source in a file. */
export interface PlanOptions extends ProbeOptions {
  readonly id: string
  readonly prefix: string
  readonly source: StoredObject
  readonly settings: VideoSettings
}

/**
 * Looks at a source, and decides what is made of it.
 *
 * @throws PLIMSOLL_MEDIA_INVALID, PLIMSOLL_MEDIA_TOO_LARGE, PLIMSOLL_MEDIA_TIMEOUT; PLIMSOLL_FEATURE_UNSUPPORTED where ffmpeg lacks something
 */
export async function makePlan(tools: VideoTools, options: PlanOptions): Promise<EncodePlan> {
  const { id, prefix, source, settings } = options
  const found = await probe(tools, options)
  const { video: stream } = found
  checkFeatures(tools, { stream, settings })
  const duration = await measure(tools.ffmpeg, { ...options, probe: found })
  const { key, etag, size } = source
  return {
    id,
    prefix,
    source: { key, etag, size },
    probe: found,
    duration,
    video: stream === undefined ? undefined : await planVideo(tools, { ...options, stream, duration }),
    audio: found.audio[0],
  }
}

async function planVideo(
  { ffmpeg }: VideoTools,
  options: PlanOptions & { stream: VideoStream; duration: number },
): Promise<VideoPlan> {
  const { stream, duration, settings } = options
  const frameRate = outputRate(stream, settings.frameRate)
  const complexity = settings.rate === undefined ? await complexityOf(ffmpeg, { ...options, video: stream }) : undefined
  const renditions = ladder(stream, { settings, frameRate, complexity })
  return { stream, frameRate, renditions, ...toChunks({ duration, frameRate }, settings) }
}

function checkFeatures(
  { features }: VideoTools,
  { stream, settings }: { stream: VideoStream | undefined; settings: VideoSettings },
): void {
  const lacks = (what: string, option?: string): PlimsollError =>
    new PlimsollError(
      'PLIMSOLL_FEATURE_UNSUPPORTED',
      `This ffmpeg ${what}; install one that has it, as Debian's does.`,
      {
        details: { option },
      },
    )
  if (stream?.hdr !== undefined && !features.toneMapping)
    throw lacks('cannot show HDR on plain screens: it lacks the filters zscale and tonemap')
  if (settings.av1 && features.av1 === undefined) throw lacks('has no encoder for AV1 (libsvtav1)', 'ladder.av1')
  if (stream !== undefined && stream.codec === 'none')
    throw mediaError('PLIMSOLL_MEDIA_INVALID', 'The picture has a codec that is not known')
}
