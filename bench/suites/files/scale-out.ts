import { createReadStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { diskStore } from '../../../src/files/drivers/disk/disk-store.ts'
import { findTools } from '../../../src/files/video/tools.ts'
import { cutChunks, transcodeChunk } from '../../../src/files/video/transcode-chunk.ts'
import { transcode } from '../../../src/files/video/transcode.ts'
import { videoSettings } from '../../../src/files/video/video-settings.ts'

/** What the parts of a shared encode took on one machine, in ms: each was given all of it, one after another. */
export interface ScaleOutTimes {
  /** Before chunks can begin: looking at the source, and cutting it. */
  readonly beforeMs: number
  readonly chunksMs: readonly number[]
  /** The sound, which the one who shares encodes meanwhile, then joining, packaging and storing. */
  readonly afterMs: number
}

/** Encodes a clip in chunks, as one worker does for another, and times each part. */
export async function measureScaleOut(source: string, chunk: `${number}s`): Promise<ScaleOutTimes> {
  const folder = await mkdtemp(join(tmpdir(), 'plimsoll-bench-chunks-'))
  try {
    await using store = diskStore({ folder: join(folder, 'store') })
    await store.put('source', createReadStream(source))
    const tools = await findTools()
    const settings = videoSettings({ chunk })
    const chunksMs: number[] = []
    const began = performance.now()
    let beforeMs = 0
    const help = async (...[plan, work, path]: Parameters<NonNullable<Parameters<typeof transcode>[1]['help']>>) => {
      const { chunks } = plan.video!
      await cutChunks(tools, { plan, work, path, settings, chunks })
      beforeMs = performance.now() - began
      for (const { index } of chunks) {
        const from = performance.now()
        await transcodeChunk({ prefix: work.prefix, index }, { store, tools, settings })
        chunksMs.push(performance.now() - from)
      }
      return undefined
    }
    await transcode({ source: 'source', to: 'out' }, { store, tools, settings, help })
    const chunksTook = chunksMs.reduce((sum, ms) => sum + ms, 0)
    return { beforeMs, chunksMs, afterMs: performance.now() - began - beforeMs - chunksTook }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/**
 * The wall time that the same parts would take on `workers` machines like this one: a simulation, in which each takes the next chunk when it
 * is done with one, and the storage is as quick for all together as for one.
 */
export function simulateWorkers({ beforeMs, chunksMs, afterMs }: ScaleOutTimes, workers: number): number {
  const busyUntil = Array.from({ length: workers }, () => 0)
  for (const ms of chunksMs) {
    const next = busyUntil.indexOf(Math.min(...busyUntil))
    busyUntil[next]! += ms
  }
  return beforeMs + Math.max(...busyUntil) + afterMs
}
