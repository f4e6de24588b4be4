import { existsSync } from 'node:fs'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseDuration } from '../../core/duration.ts'
import { PlimsollError } from '../../core/errors.ts'
import { timeOf } from './encode-plan.ts'
import { asMedia, mediaError } from './media-errors.ts'
import { runTool } from './run-tool.ts'
import type { VideoTools } from './tools.ts'
import type { Ratio } from './types.ts'
import type { VideoSettings } from './video-settings.ts'

/** Where pictures are taken from. */
export interface PictureSource {
  /** A rendition: upright, in plain colours, and with a key frame every two seconds. */
  readonly path: string
  readonly width: number
  readonly height: number
}

/** A part of a rendition, and which of its frames is the poster. */
export interface PosterSource {
  readonly path: string
  readonly frame: number
  readonly frameRate: Ratio
}

/** Pictures that are taken of a video. */
export interface PictureFilesOptions {
  /** In seconds. */
  readonly duration: number
  /** Where they go. */
  readonly folder: string
  readonly settings: VideoSettings
  readonly subject: string
  readonly signal?: AbortSignal | undefined
}

const mostPictures = 200
const columns = 10
const rows = 10
/** Several threads have a frame each to decode, of which one is wanted. */
const oneThread = ['-threads', '1'] as const

/** A sprite: pictures in sheets, and the WebVTT file that says which part of which sheet is of when. */
export interface Sprite {
  readonly index: string
  readonly images: readonly string[]
}

/** What was taken, by the names of files. */
export interface Pictures {
  readonly poster: string | undefined
  readonly sprite: Sprite | undefined
}

/** What ffmpeg is told for one of them, which reads its input number `input`. */
interface Picture {
  readonly input: readonly string[]
  output(input: number): readonly string[]
}

/**
 * Takes the poster of one rendition, and the pictures of the sprite of another one, of key frames only: in
 * one run, because to start ffmpeg takes as long as to take a picture.
 */
export async function takePictures(
  tools: VideoTools,
  {
    poster: ofPoster,
    sprite: ofSprite,
    ...options
  }: PictureFilesOptions & { readonly poster: PosterSource | undefined; readonly sprite: PictureSource | undefined },
): Promise<Pictures> {
  const { folder } = options
  const poster = ofPoster && posterPicture(tools, { ...options, ...ofPoster })
  const sprite = ofSprite && spritePicture({ ...options, ...ofSprite })
  const pictures = [poster, sprite].filter((picture) => picture !== undefined)
  if (pictures.length > 0)
    await take(tools, options, [
      ...pictures.flatMap(({ input }) => input),
      ...pictures.flatMap((picture, i) => picture.output(i)),
    ])
  // A program that finds no frame is content with that.
  if (poster !== undefined && !existsSync(join(folder, poster.name)))
    throw mediaError('PLIMSOLL_MEDIA_TOOL_FAILED', `ffmpeg has found no frame for the poster of '${options.subject}'`)
  return {
    poster: poster?.name,
    sprite: sprite && (await indexSprite(folder, sprite.sheets)),
  }
}

/** The moment of a video that its poster shows, in seconds. */
export function posterSecond({ at }: NonNullable<VideoSettings['poster']>, duration: number): number {
  const asked =
    typeof at === 'string' && at.endsWith('%')
      ? (duration * Number(at.slice(0, -1))) / 100
      : parseDuration(at as number, 'poster.at') / 1000
  // Behind the last frame there is none.
  return Math.max(0, Math.min(asked, duration - 0.2))
}

function posterPicture(
  tools: VideoTools,
  { settings, path, folder, frame, frameRate }: PictureFilesOptions & PosterSource,
): Picture & { readonly name: string } {
  const { format } = settings.poster!
  if (format === 'webp' && !tools.features.webp) {
    const message = 'poster.format is webp, and this ffmpeg has no libwebp; use jpeg, or another ffmpeg.'
    throw new PlimsollError('PLIMSOLL_FEATURE_UNSUPPORTED', message, { details: { option: 'poster.format' } })
  }
  const name = format === 'webp' ? 'poster.webp' : 'poster.jpg'
  const encoder = format === 'webp' ? ['-c:v', 'libwebp', '-quality', '80'] : ['-c:v', 'mjpeg', '-q:v', '3']
  const pixels = ['-frames:v', '1', '-pix_fmt', format === 'webp' ? 'yuv420p' : 'yuvj420p']
  return {
    name,
    // From between it and the frame before.
    input: [...oneThread, '-ss', Math.max(0, timeOf(frame - 0.5, frameRate)).toFixed(6), '-i', path],
    output: (input) =>
      [['-map', `${input}:v:0`], pixels, encoder, ['-f', 'image2', '-update', '1', join(folder, name)]].flat(),
  }
}

/** How the pictures of a sprite lie in its sheets. */
interface Sheets {
  readonly cell: { readonly width: number; readonly height: number }
  readonly wide: number
  readonly tall: number
  readonly count: number
  /** In seconds. */
  readonly interval: number
  readonly duration: number
}

function spritePicture({
  settings,
  path,
  folder,
  width,
  height,
  duration,
}: PictureFilesOptions & PictureSource): Picture & { readonly sheets: Sheets } {
  const { intervalS, size } = settings.sprite!
  const interval = intervalS ?? Math.max(2, Math.ceil(duration / mostPictures / 2) * 2)
  const scale = Math.min(1, size / Math.max(width, height))
  const even = (side: number): number => Math.max(2, Math.round((side * scale) / 2) * 2)
  const cell = { width: even(width), height: even(height) }
  const count = Math.max(1, Math.ceil(duration / interval - 0.001))
  const tall = Math.min(rows, Math.ceil(count / columns))
  const wide = Math.min(columns, count)
  const filters = [
    `fps=fps=1/${interval}:start_time=0:round=up`,
    `trim=end_frame=${count}`,
    `scale=${cell.width}:${cell.height}`,
    `tile=${wide}x${tall}`,
  ]
  const encoder = ['-an', '-c:v', 'mjpeg', '-pix_fmt', 'yuvj420p', '-q:v', '5', '-f', 'image2']
  return {
    sheets: { cell, wide, tall, count, interval, duration },
    input: [...oneThread, '-skip_frame', 'nokey', '-i', path],
    output: (input) =>
      [['-map', `${input}:v:0`, '-vf', filters.join(',')], encoder, [join(folder, 'sprite-%03d.jpg')]].flat(),
  }
}

async function indexSprite(folder: string, sheets: Sheets): Promise<Sprite> {
  const images = (await readdir(folder)).filter((name) => /^sprite-\d+\.jpg$/.test(name)).sort()
  await writeFile(join(folder, 'sprite.vtt'), spriteIndex({ images, ...sheets }))
  return { index: 'sprite.vtt', images }
}

/** Says in WebVTT where each picture is, as players know it: media fragments of the sheets. */
export function spriteIndex(sprite: Sheets & { readonly images: readonly string[] }): string {
  const { images, cell, wide, tall, count, interval, duration } = sprite
  const cues = Array.from({ length: Math.min(count, images.length * wide * tall) }, (_, i) => {
    const inSheet = i % (wide * tall)
    const x = (inSheet % wide) * cell.width
    const y = Math.floor(inSheet / wide) * cell.height
    const from = timestamp(i * interval)
    const to = timestamp(Math.min((i + 1) * interval, Math.max(duration, i * interval + 0.001)))
    return `${from} --> ${to}\n${images[Math.floor(i / (wide * tall))]}#xywh=${x},${y},${cell.width},${cell.height}\n`
  })
  return `WEBVTT\n\n${cues.join('\n')}`
}

function timestamp(seconds: number): string {
  const ms = Math.round(seconds * 1000)
  const two = (value: number): string => String(Math.floor(value)).padStart(2, '0')
  return `${two(ms / 3_600_000)}:${two((ms / 60_000) % 60)}:${two((ms / 1000) % 60)}.${String(ms % 1000).padStart(3, '0')}`
}

async function take(
  { ffmpeg }: VideoTools,
  { folder, settings, subject, signal }: PictureFilesOptions,
  args: readonly string[],
): Promise<void> {
  const bounds = { timeoutMs: settings.limits.timeMs, memoryBytes: settings.limits.memoryBytes, fileBytes: 1024 ** 3 }
  const quiet = ['-v', 'error', '-nostdin', '-y', '-protocol_whitelist', 'file']
  await asMedia({ task: 'take pictures of it', subject, folder }, () =>
    runTool({ program: ffmpeg, args: [...quiet, ...args], folder, signal, ...bounds }),
  )
}
