import { doneOnce } from '../../core/done-once.ts'
import { parseDuration, type Duration } from '../../core/duration.ts'
import { isPlimsollError } from '../../core/errors.ts'
import { isKey } from '../../files/index.ts'
import { checkCaptions } from '../../files/video/captions.ts'
import type { EncodePlan } from '../../files/video/encode-plan.ts'
import { isLasting } from '../../files/video/media-errors.ts'
import { findTools } from '../../files/video/tools.ts'
import { transcode } from '../../files/video/transcode.ts'
import { transcodeChunk, type ChunkTask } from '../../files/video/transcode-chunk.ts'
import type { VideoInput, VideoOptions, VideoPackage } from '../../files/video/types.ts'
import { videoSettings } from '../../files/video/video-settings.ts'
import type { WorkFiles } from '../../files/video/work-files.ts'
import { sweepWork } from '../../files/video/sweep-work.ts'
import type { Schema, SchemaResult } from '../../jobs/standard-schema.ts'
import type { Job, JobContext } from '../../jobs/types.ts'
import { defineReadyJob, withCompanions, withUpkeep, type ReadyJobOptions, type ReadyServices } from './ready-job.ts'
import { shareChunks } from './share-chunks.ts'

/** What is finished of an encode that has failed is kept as long as jobs that have failed, for whoever has them tried again. */
const keptMs = 14 * 86_400_000

/** The parts of the application that hooks of a video are given. */
export type VideoServices = Pick<ReadyServices, 'db' | 'files'>

/** The options of {@link defineVideo}: those of videos, and those of a job. The queue is `'video'` unless they say otherwise. */
export interface DefineVideoOptions
  extends VideoOptions, Omit<ReadyJobOptions<Schema<VideoInput>>, 'input' | 'version' | 'upgrade'> {
  /**
   * Videos longer than this are cut into chunks that all workers take part in. False has one worker encode each. Default `'10m'`.
   */
  readonly share?: Duration | false | undefined
  /** Told how far it is: a share from 0 to 1, and what is done. The job's own progress says so in any case. */
  readonly onProgress?: ((share: number, note: string, input: VideoInput) => void) | undefined
  /** Called when the package is there, such as to write its keys into a row. It may be called again for the same video, after a crash. */
  readonly onReady?:
    | ((video: VideoPackage, input: VideoInput, services: VideoServices) => void | Promise<void>)
    | undefined
}

/**
 * Defines a job that makes an HLS and DASH package of a video in the storage. A retry goes on from what was finished; the manifests come last.
 * One video at a time is encoded in a process, by all its cores.
 *
 * @throws PLIMSOLL_OPTION_INVALID
 * @example
 * export const transcode = defineVideo('video.transcode', {
 *   ladder: { sizes: [360, 720, 1080] },
 *   onReady: (video, { source }, { db }) => db.videos.filter({ file: source }).update({ hls: video.hls, dash: video.dash }),
 * })
 * await transcode.enqueue({ source: 'uploads/holiday.mov', to: 'videos/42' })
 */
export function defineVideo(name: string, options: DefineVideoOptions = {}): Job<VideoInput, VideoPackage> {
  const { share = '10m', onProgress, onReady, ...rest } = options
  const { ladder, audioRate, poster, sprite, segment, chunk, limits, tools, cacheControl, folder, ...jobOptions } = rest
  const settings = videoSettings({ ladder, audioRate, poster, sprite, segment, chunk, limits, cacheControl, folder })
  const sharedFromS = share === false ? Number.POSITIVE_INFINITY : parseDuration(share, 'share') / 1000
  // Looked for when the first video comes, and again when they were not there.
  const toolsOf = doneOnce(() => findTools(tools))
  const common = {
    queue: 'video',
    perWorker: 1,
    timeout: '12h',
    // Two that write the same package at once would mix it.
    unique: {},
    ...jobOptions,
    retry: jobOptions.retry === false ? false : { when: (error: unknown) => !isLasting(error), ...jobOptions.retry },
  } as const

  const chunkJob = defineReadyJob<Schema<ChunkTask>, boolean>(
    `${name}.chunk`,
    // Its own, whatever those of the video are: another attempt at the whole finds the jobs of the one before.
    { ...common, unique: {}, rateLimit: undefined, concurrency: undefined, input: chunkInput },
    async (task, { signal, progress }, { files }) => {
      const onShare = (done: number): void => progress(percent(done), 100)
      return transcodeChunk(task, { store: files, tools: await toolsOf(), settings, signal, onShare })
    },
  )

  const job = defineReadyJob<Schema<VideoInput>, VideoPackage>(
    name,
    { ...common, input: videoInput },
    async (input, { signal, progress }: JobContext, { files, db, jobs }) => {
      const found = await toolsOf()
      const help = async (plan: EncodePlan, work: WorkFiles, path: string) =>
        plan.duration <= sharedFromS
          ? undefined
          : shareChunks({ jobs: jobs(), chunkJob, plan, work, path, tools: found, settings })
      const video = await transcode(input, {
        store: files,
        tools: found,
        settings,
        signal,
        help,
        onProgress(done, note) {
          progress(percent(done), 100, note)
          onProgress?.(done, note, input)
        },
        discards: (error) => isLasting(error) || isCancelled(error),
      })
      await onReady?.(video, input, { db, files })
      return video
    },
  )
  return withUpkeep(withCompanions(job, [chunkJob]), {
    kind: 'sweep',
    queue: common.queue,
    every: '1d',
    run: ({ signal }, { files }) => sweepWork(files, { before: Date.now() - keptMs, signal }),
  })
}

/** Not so of a job that is handed back to be run elsewhere. */
function isCancelled(error: unknown): boolean {
  return isPlimsollError(error, 'PLIMSOLL_JOB_CANCELLED') && error.details['why'] === 'cancelled'
}

const percent = (share: number): number => Math.round(share * 1000) / 10

const videoInput: Schema<VideoInput> = {
  '~standard': {
    version: 1,
    vendor: 'plimsoll',
    validate(value): SchemaResult<VideoInput> {
      const { source, to, captions } = (value ?? {}) as Partial<VideoInput>
      const issues = [
        ...(isKey(source) ? [] : [{ message: 'give the key of a video in the storage', path: ['source'] }]),
        ...(isFolder(to)
          ? []
          : [{ message: "give what the keys of the package begin with, such as 'videos/42'", path: ['to'] }]),
        ...captionIssues(captions),
      ]
      return issues.length > 0 ? { issues } : { value: { source: source!, to: to!, captions } }
    },
  },
}

/** As long as the names below `to` can be, with the folder of the package. */
const longestName = '/'.padEnd(100, 'x')

/** What the keys of a package can begin with; a slash at its end says the same. */
const isFolder = (value: unknown): value is string =>
  typeof value === 'string' && isKey(value.replace(/\/+$/, '') + longestName)

function captionIssues(captions: unknown): { message: string; path: string[] }[] {
  if (captions === undefined) return []
  const path = ['captions']
  if (!Array.isArray(captions) || !captions.every(isCaption))
    return [{ message: "give a list such as [{ key: 'uploads/en.vtt', language: 'en' }]", path }]
  try {
    checkCaptions(captions)
    return []
  } catch (error) {
    if (isPlimsollError(error, 'PLIMSOLL_OPTION_INVALID')) return [{ message: error.message, path }]
    throw error
  }
}

function isCaption(value: unknown): value is NonNullable<VideoInput['captions']>[number] {
  const { key, language, label } = (value ?? {}) as Record<string, unknown>
  return isKey(key) && typeof language === 'string' && (label === undefined || typeof label === 'string')
}

const chunkInput: Schema<ChunkTask> = {
  '~standard': {
    version: 1,
    vendor: 'plimsoll',
    validate(value): SchemaResult<ChunkTask> {
      const { prefix, index } = (value ?? {}) as Partial<ChunkTask>
      if (isKey(prefix) && Number.isSafeInteger(index)) return { value: { prefix, index: index! } }
      return { issues: [{ message: 'give the prefix of a plan, and the index of a chunk' }] }
    },
  },
}
