import { createReadStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { diskStore } from '../../../src/files/drivers/disk/disk-store.ts'
import { findTools, type VideoTools } from '../../../src/files/video/tools.ts'
import { cutChunks, transcodeChunk } from '../../../src/files/video/transcode-chunk.ts'
import { transcode } from '../../../src/files/video/transcode.ts'
import { videoSettings } from '../../../src/files/video/video-settings.ts'
import type { Measurement } from '../../harness/measure.ts'
import { significant } from '../../harness/stats.ts'
import type { Target } from '../../harness/targets.ts'
import { makeClip } from './make-clip.ts'
import type { FilesWorkload } from './workload.ts'

const machines = [1, 2, 4, 8]
const nameOf = (count: number): string => `simulated-${count}`
const alone = 'one-pass'

/** The same clip by one machine in one pass, and in chunks by more machines than there are: each part of that is measured here, and their order simulated. */
export const scaleOutWorkload: FilesWorkload = {
  name: 'scale-out',
  title: 'a 720p clip shared among machines, simulated from the times of its chunks; an operation is a second of video',
  run: ({ quick }) => measureScaleOut(quick ? { seconds: 24, chunkS: 4 } : { seconds: 288, chunkS: 12 }),
}

/** Nearly as many times as quick: what is not divided is the look at the source, the sound, joining and packaging. */
export const scaleOutTargets: readonly Target[] = [2, 4, 8].map((count) => ({
  text: `scale-out: ${count} machines, simulated, ÷ one that encodes in one pass`,
  least: 0.85 * count,
  value: ({ workloads }) => workloads['scale-out']?.[nameOf(count)]?.ratio,
}))

/** What the parts of a shared encode took on one machine, in ms: each was given all of it, one after another. */
export interface SharedTimes {
  /** Before chunks can begin: looking at the source, and cutting it. */
  readonly beforeMs: number
  readonly chunksMs: readonly number[]
  /** The sound, which the one who shares encodes meanwhile, then joining, packaging and storing. */
  readonly afterMs: number
}

async function measureScaleOut({
  seconds,
  chunkS,
}: {
  readonly seconds: number
  readonly chunkS: number
}): Promise<Record<string, Measurement>> {
  const folder = await mkdtemp(join(tmpdir(), 'plimsoll-bench-chunks-'))
  try {
    const source = join(folder, 'source.mp4')
    await makeClip(source, seconds)
    await using store = diskStore({ folder: join(folder, 'store') })
    await store.put('source', createReadStream(source))
    const tools = await findTools()
    const began = performance.now()
    await transcode({ source: 'source', to: 'whole' }, { store, tools, settings: videoSettings({ chunk: '1h' }) })
    const onePassMs = performance.now() - began
    const times = await encodeShared(tools, { store, chunk: `${chunkS}s` })
    const { beforeMs, chunksMs, afterMs } = times
    console.log(
      `${chunksMs.length} chunks of ${chunkS} s: ${Math.round(beforeMs)} ms before them, ${Math.round(afterMs)} ms after them`,
    )
    const measurement = (ms: number): Measurement => ({
      ratio: significant(onePassMs / ms),
      opsPerS: significant((seconds * 1000) / ms),
      p50Ms: significant(ms),
      p99Ms: significant(ms),
      nodeCpuUs: 0,
      serverCpuUs: 0,
    })
    return Object.fromEntries([
      [alone, measurement(onePassMs)],
      ...machines.map((count) => [nameOf(count), measurement(simulateWorkers(times, count))]),
    ])
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Encodes a clip in chunks, as one worker does for another, and times each part. */
async function encodeShared(
  tools: VideoTools,
  { store, chunk }: { readonly store: ReturnType<typeof diskStore>; readonly chunk: `${number}s` },
): Promise<SharedTimes> {
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
  await transcode({ source: 'source', to: 'shared' }, { store, tools, settings, help })
  const chunksTook = chunksMs.reduce((sum, ms) => sum + ms, 0)
  return { beforeMs, chunksMs, afterMs: performance.now() - began - beforeMs - chunksTook }
}

/**
 * The wall time that the same parts would take on `count` machines like this one, in which each takes the next chunk when it is done with one,
 * and the storage is as quick for all together as for one.
 */
export function simulateWorkers({ beforeMs, chunksMs, afterMs }: SharedTimes, count: number): number {
  const busyUntil = Array.from({ length: count }, () => 0)
  for (const ms of chunksMs) {
    const next = busyUntil.indexOf(Math.min(...busyUntil))
    busyUntil[next]! += ms
  }
  return beforeMs + Math.max(...busyUntil) + afterMs
}
