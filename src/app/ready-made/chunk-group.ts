import { setTimeout } from 'node:timers/promises'
import type { Chunk, EncodePlan } from '../../files/video/encode-plan.ts'
import type { Helpers } from '../../files/video/encode-chunks.ts'
import type { VideoTools } from '../../files/video/tools.ts'
import { cutChunks, type ChunkTask } from '../../files/video/transcode-chunk.ts'
import type { VideoSettings } from '../../files/video/video-settings.ts'
import type { WorkFiles } from '../../files/video/work-files.ts'
import type { Job, Jobs } from '../../jobs/types.ts'
import { group } from '../../jobs/workflow/steps.ts'

/** Chunks that other workers may encode. */
export interface ChunkGroupOptions {
  readonly jobs: Jobs
  readonly chunkJob: Job<ChunkTask, boolean>
  readonly plan: EncodePlan
  readonly work: WorkFiles
  /** The source, in a file. */
  readonly path: string
  readonly tools: VideoTools
  readonly settings: VideoSettings
  readonly signal: AbortSignal
}

/** How often it is looked whether a helper has come further. */
const lookMs = 500

/**
 * Starts a workflow with a job for each chunk. Whoever has started it encodes chunks too, those that no job of it has begun with, so a
 * worker never waits for one that may not come: alone it does all of them.
 */
export async function openChunkGroup(options: ChunkGroupOptions): Promise<Helpers> {
  const { jobs, chunkJob, plan, work, path, tools, settings, signal } = options
  const chunks = plan.video!.chunks
  await cutChunks(tools, { plan, path, work, settings, signal, chunks })
  const steps = chunks.map(({ index }) => chunkJob.step({ prefix: work.prefix, index }))
  const flow = await jobs.start(group(...steps), { keep: '1h', keepFailed: '1h' })
  let ids: readonly (string | undefined)[] = []
  const idOf = async (chunk: Chunk): Promise<string | undefined> => {
    if (ids[chunk.index] === undefined) {
      const status = await flow.status({ steps: chunks.length + 1 })
      ids = (status?.steps ?? []).filter(({ name }) => name === chunkJob.name).map(({ job }) => job)
    }
    return ids[chunk.index]
  }
  return {
    async take(chunk) {
      const id = await idOf(chunk)
      const state = id === undefined ? undefined : (await jobs.handle(id).status())?.state
      if (state === 'active') return true
      // Whoever would begin with it now would do it a second time.
      if (id !== undefined && (state === 'waiting' || state === 'delayed' || state === 'parked')) await jobs.cancel(id)
      return false
    },
    async wait(given) {
      await setTimeout(lookMs, undefined, { signal: given })
    },
    async end() {
      await flow.cancel()
    },
  }
}
