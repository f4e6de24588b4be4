import { setTimeout } from 'node:timers/promises'
import { createApp, defineJob } from '../../../src/app/index.ts'
import { shareChunks } from '../../../src/app/ready-made/share-chunks.ts'
import type { Schema } from '../../../src/jobs/standard-schema.ts'
import { relations } from '../../schema/tables.ts'
import { keepCut, transcodeChunk, type ChunkParts, type ChunkTask } from '../../../src/files/video/transcode-chunk.ts'
import type { TranscodeParts } from '../../../src/files/video/transcode-parts.ts'
import { transcode } from '../../../src/files/video/transcode.ts'
import type { PaceClock } from './pace-clock.ts'

/** What a film is encoded with: it is `source` in the store. */
export type Stage = Pick<ChunkParts, 'store' | 'tools' | 'settings'>

/** What the keys begin with of what helpers have made. */
const recorded = 'recorded/'

/**
 * Encodes every chunk of a film as a helper does, one after another with this machine to itself, and keeps what comes of it. Resolves to how
 * long each took, by the clock.
 */
export async function recordChunks(stage: Stage, clock: PaceClock): Promise<readonly number[]> {
  const { store, tools, settings } = stage
  const chunksMs: number[] = []
  const help: TranscodeParts['help'] = async (plan, work, path) => {
    for (const chunk of plan.video!.chunks) {
      await keepCut(tools, { plan, chunk, work, path, settings })
      const task = { prefix: work.prefix, index: chunk.index }
      chunksMs.push(await clock.time(() => transcodeChunk(task, stage)))
    }
    for (const name of await work.finished())
      if (/^\d+-/.test(name)) await store.copy(`${work.prefix}/${name}`, `${recorded}${name}`)
    return undefined
  }
  await transcode({ source: 'source', to: 'shared' }, { ...stage, help })
  return chunksMs
}

/** Machines that play back. */
export interface PlayedMachines extends AsyncDisposable {
  readonly help: NonNullable<TranscodeParts['help']>
}

/**
 * Opens `count` machines like this one: workers of real jobs, which do nothing, and have what was recorded of a chunk in the store
 * when the time has passed that it takes at the pace of now. Only who shares works: it has this machine to itself, as it would have.
 */
export async function openPlayedMachines(
  { store, tools, settings }: Stage,
  parts: { readonly chunksMs: readonly number[]; readonly clock: PaceClock; readonly count: number },
): Promise<PlayedMachines> {
  const { chunksMs, clock, count } = parts
  const files = (await store.list(recorded, { size: 1000 })).objects.map(({ key }) => key.slice(recorded.length))
  const chunkJob = defineJob('chunk', { input: chunkInput, timeout: '1h' }, async ({ prefix, index }, { signal }) => {
    await setTimeout(chunksMs[index]! * clock.pace, undefined, { signal })
    for (const file of files.filter((name) => Number.parseInt(name) === index))
      await store.copy(`${recorded}${file}`, `${prefix}/${file}`)
    return true
  })
  const options = { relations, databaseUrl: 'pglite:memory', secret: 'a secret for the bench', work: false }
  const app = await createApp({ ...options, jobs: [chunkJob] })
  await app.jobs.work({ concurrency: count })
  return {
    help: async (plan, work, path) => shareChunks({ jobs: app.jobs, chunkJob, plan, work, path, tools, settings }),
    [Symbol.asyncDispose]: () => app.close(),
  }
}

/** Takes what it is given: it is ours. */
const chunkInput: Schema<ChunkTask> = {
  '~standard': { version: 1, vendor: 'bench', validate: (value) => ({ value: value as ChunkTask }) },
}
