import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { PlimsollError, showValue } from '../../core/errors.ts'
import type { FileStore, StoredObject } from '../contract.ts'
import { checkCues, cueTiming } from './caption-cues.ts'
import { mediaError } from './media-errors.ts'
import type { CaptionInput } from './types.ts'
import type { VideoSettings } from './video-settings.ts'
import { fetchObject, type WorkFiles } from './work-files.ts'

/** Captions as they are in the store. */
export interface StoredCaption {
  readonly key: string
  readonly etag: string
  readonly size: number
  readonly language: string
  readonly label: string
  /** What their files are called in packages: other bytes have another name. */
  readonly name: string
}

/** Captions that were checked, and are in a file. */
export interface Caption extends StoredCaption {
  readonly path: string
}

const mostBytes = 10 * 1024 ** 2
const mostCaptions = 50
/** A language tag (RFC 5646), in short. */
const tag = /^[a-z]{2,3}(?:-[a-z0-9]{1,8}){0,4}$/i

/** @throws PLIMSOLL_OPTION_INVALID */
export function checkCaptions(captions: readonly CaptionInput[]): void {
  if (captions.length > mostCaptions) throw invalid('captions', captions.length, `give ${mostCaptions} or fewer`)
  const seen = new Set<string>()
  for (const { language, label } of captions) {
    if (!tag.test(language)) throw invalid('captions.language', language, "give a tag such as 'en' or 'pt-BR'")
    if (seen.has(language.toLowerCase())) throw invalid('captions.language', language, 'name each language once')
    seen.add(language.toLowerCase())
    // Manifests quote it, and the packager takes commas and equals signs for its own.
    if (label !== undefined && !/^[^\p{Cc}"=,]{1,100}$/u.test(label))
      throw invalid('captions.label', label, 'give up to 100 characters, without quotes, commas and equals signs')
  }
}

/** Names captions by what they are. */
export function toStoredCaption(
  { key, language, label = language }: CaptionInput,
  { etag, size }: Pick<StoredObject, 'etag' | 'size'>,
): StoredCaption {
  const digest = createHash('sha256')
    .update(JSON.stringify([key, etag]))
    .digest('hex')
  return { key, etag, size, language, label, name: `captions-${language.toLowerCase()}-${digest.slice(0, 12)}` }
}

/**
 * Brings the captions, and checks that they are WebVTT, for a video as long as it may be at most.
 *
 * @throws PLIMSOLL_MEDIA_INVALID, PLIMSOLL_MEDIA_TOO_LARGE; PLIMSOLL_FILE_NOT_FOUND, PLIMSOLL_FILE_CHANGED
 */
export async function fetchCaptions(
  store: FileStore,
  {
    captions,
    settings,
    work,
    signal,
  }: {
    readonly captions: readonly StoredCaption[]
    readonly settings: VideoSettings
    readonly work: WorkFiles
    readonly signal?: AbortSignal | undefined
  },
): Promise<Caption[]> {
  const fetched: Caption[] = []
  for (const caption of captions) {
    const { key, etag, size, name } = caption
    if (size > mostBytes) {
      const message = `The captions '${key}' have ${size} bytes, more than ${mostBytes}`
      throw mediaError('PLIMSOLL_MEDIA_TOO_LARGE', message, { details: { subject: key } })
    }
    const path = work.path(`${name}.vtt`)
    await fetchObject(store, { key, path, etag, signal })
    const bytes = await readFile(path)
    checkWebVtt(bytes, key)
    const { limits, segmentS } = settings
    checkCues(bytes.toString(), { subject: key, endS: limits.durationMs / 1000, segmentS })
    fetched.push({ ...caption, path })
  }
  return fetched
}

/** Checks that a file is WebVTT (W3C), as far as a packager needs it. @throws PLIMSOLL_MEDIA_INVALID */
export function checkWebVtt(bytes: Uint8Array, subject: string): void {
  const refuse = (problem: string): never => {
    throw mediaError('PLIMSOLL_MEDIA_INVALID', `The captions '${subject}' ${problem}`, { details: { subject } })
  }
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return refuse('are not UTF-8')
  }
  const lines = text.split(/\r\n|\n|\r/)
  if (!/^WEBVTT(?:[ \t]|$)/.test(lines[0]!)) return refuse('are not WebVTT: they do not begin with WEBVTT')
  const bad = lines.findIndex((line) => line.includes('-->') && !cueTiming.test(line.trim()))
  if (bad >= 0) return refuse(`have a time in line ${bad + 1} that is none: ${showValue(lines[bad])}`)
}

function invalid(option: string, value: unknown, advice: string): PlimsollError {
  return new PlimsollError('PLIMSOLL_OPTION_INVALID', `${option} is ${showValue(value)}; ${advice}.`, {
    details: { option },
  })
}
