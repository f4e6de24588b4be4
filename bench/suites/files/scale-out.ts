import { createReadStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { diskStore } from '../../../src/files/drivers/disk/disk-store.ts'
import { findTools } from '../../../src/files/video/tools.ts'
import type { TranscodeParts } from '../../../src/files/video/transcode-parts.ts'
import { transcode } from '../../../src/files/video/transcode.ts'
import type { Duration } from '../../../src/core/duration.ts'
import { videoSettings } from '../../../src/files/video/video-settings.ts'
import type { Measurement } from '../../harness/measure.ts'
import { significant } from '../../harness/stats.ts'
import type { Target } from '../../harness/targets.ts'
import { makeClip, makeFilm } from './make-clip.ts'
import { PaceClock } from './pace-clock.ts'
import { openPlayedMachines, recordChunks, type Stage } from './played-machines.ts'
import type { FilesWorkload } from './workload.ts'

const machines = [2, 4, 8]
const nameOf = (count: number): string => `played-${count}`
const alone = 'one-pass'

/** A film, and the pieces that it is shared in. */
interface Film {
  readonly minutes: number
  readonly chunk: Duration | undefined
}

const whole: Film = { minutes: 36, chunk: undefined }
const quick: Film = { minutes: 2, chunk: '10s' }

/** The same film by one machine in one pass, and by one machine that shares it with others, which are played back: what each chunk takes them is measured here first. */
export const scaleOutWorkload: FilesWorkload = {
  name: 'scale-out',
  title:
    'a 720p film of 36 minutes shared among machines, all but one of which are played back; an operation is a second of it',
  run: (context) => measureScaleOut(context.quick ? quick : whole),
}

/** Nearly as many times as quick: what is not divided is the look at the source, and packaging and storing the last of it. */
export const scaleOutTargets: readonly Target[] = machines.map((count) => ({
  text: `scale-out: ${count} machines, ${count - 1} of them played back, ÷ one that encodes in one pass`,
  least: 0.85 * count,
  value: ({ workloads }) => workloads['scale-out']?.[nameOf(count)]?.ratio,
}))

async function measureScaleOut({ minutes, chunk }: Film): Promise<Record<string, Measurement>> {
  const folder = await mkdtemp(join(tmpdir(), 'plimsoll-bench-chunks-'))
  try {
    const source = join(folder, 'source.mp4')
    await makeFilm(source, minutes)
    await using store = diskStore({ folder: join(folder, 'store') })
    await store.put('source', createReadStream(source))
    const stage: Stage = { store, tools: await findTools(), settings: videoSettings({ chunk }) }
    const reference = join(folder, 'reference.mp4')
    await makeClip(reference, 30)
    const clock = await PaceClock.open(stage.tools.ffmpeg, reference)
    const timed = async (to: string, parts: Partial<Pick<TranscodeParts, 'help' | 'settings'>>): Promise<number> => {
      const began = performance.now()
      const steps = new Map<string, number>()
      const onProgress = (_: number, note: string): void => {
        if (!steps.has(note)) steps.set(note, Math.round(performance.now() - began))
      }
      const ms = await clock.time(() => transcode({ source: 'source', to }, { ...stage, ...parts, onProgress }))
      console.log(`${to}: ${[...steps].map(([note, from]) => `${note} from ${from} ms`).join(', ')}`)
      console.log(`${to}: ${Math.round(ms)} ms of the first pace, which is ${significant(clock.pace)} now`)
      return ms
    }
    const onePassMs = await timed(alone, { settings: videoSettings({ chunk: '1h' }) })
    const chunksMs = await recordChunks(stage, clock)
    const sum = chunksMs.reduce((total, ms) => total + ms, 0)
    console.log(`${chunksMs.length} chunks, each alone: ${Math.round(sum)} ms in all`)
    const measured: Record<string, number> = { [alone]: onePassMs }
    for (const count of machines) {
      await using others = await openPlayedMachines(stage, { chunksMs, clock, count: count - 1 })
      measured[nameOf(count)] = await timed(nameOf(count), others)
    }
    return Object.fromEntries(
      Object.entries(measured).map(([name, ms]) => [name, toMeasurement(ms, { onePassMs, seconds: minutes * 60 })]),
    )
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function toMeasurement(
  ms: number,
  { onePassMs, seconds }: { readonly onePassMs: number; readonly seconds: number },
): Measurement {
  return {
    ratio: significant(onePassMs / ms),
    opsPerS: significant((seconds * 1000) / ms),
    p50Ms: significant(ms),
    p99Ms: significant(ms),
    nodeCpuUs: 0,
    serverCpuUs: 0,
  }
}
