import { execFile } from 'node:child_process'
import { createReadStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { diskStore } from '../../../src/files/drivers/disk/disk-store.ts'
import { pictureArguments, soundArguments } from '../../../src/files/video/encode-arguments.ts'
import { chunkFile, type EncodePlan } from '../../../src/files/video/encode-plan.ts'
import { makePlan } from '../../../src/files/video/make-plan.ts'
import { findTools, type VideoTools } from '../../../src/files/video/tools.ts'
import { transcode } from '../../../src/files/video/transcode.ts'
import { videoSettings } from '../../../src/files/video/video-settings.ts'
import type { Measurement } from '../../harness/measure.ts'
import { processTreeCpuUs } from '../../harness/process-cpu.ts'
import { median, percentile, significant } from '../../harness/stats.ts'
import type { Target } from '../../harness/targets.ts'
import { makeClip } from './make-clip.ts'

const run = promisify(execFile)

/** How long the clip is, in seconds, and how often each contestant encodes it. */
export interface EncodeOptions {
  readonly seconds: number
  readonly turns: number
}

export const encodeOptions = {
  whole: { seconds: 60, turns: 5 },
  quick: { seconds: 10, turns: 1 },
} as const satisfies Record<string, EncodeOptions>

export const encodeTitle =
  'a 720p clip to its ladder, of which the ratio is that of the CPU time: lower is better. An operation is a second of video'
export const encodeReference = 'ffmpeg'

/** `plimsoll` looks at the source, samples it, encodes, packages for HLS and DASH, takes pictures and stores; the others encode only. */
export const encodeTargets: readonly Target[] = [
  {
    text: 'encode: CPU as a multiple of a bare ffmpeg with the same ladder',
    most: 1.05,
    value: ({ workloads }) => workloads['encode']?.['plimsoll']?.ratio,
  },
  {
    text: 'encode: wall time as a multiple of a bare ffmpeg with the same ladder',
    most: 1.05,
    value: ({ workloads: { encode } }) =>
      encode?.['plimsoll'] && encode[encodeReference]!.opsPerS / encode['plimsoll'].opsPerS,
  },
]

interface Sample {
  readonly elapsedMs: number
  readonly nodeUs: number
  readonly toolsUs: number
}

/** The workload `encode`. Contestants take turns, each with all cores to itself. */
export async function measureEncode({ seconds, turns }: EncodeOptions): Promise<Record<string, Measurement>> {
  const folder = await mkdtemp(join(tmpdir(), 'plimsoll-bench-encode-'))
  try {
    const tools = await findTools()
    const source = join(folder, 'source.mp4')
    await makeClip(source, seconds)
    const plan = await planOf(tools, { source, folder })
    await using store = diskStore({ folder: join(folder, 'store') })
    await store.put('source', createReadStream(source))
    const contestants: Record<string, (turn: number) => Promise<unknown>> = {
      plimsoll: (turn) => transcode({ source: 'source', to: `out-${turn}` }, { store, tools, settings }),
      [encodeReference]: () => encodeBare(tools, { source, folder, plan, together: true }),
      'ffmpeg-per-rendition': () => encodeBare(tools, { source, folder, plan, together: false }),
    }
    const names = Object.keys(contestants)
    const samples = new Map<string, Sample[]>(names.map((name) => [name, []]))
    for (let turn = 0; turn < turns; turn++) {
      for (const offset of names.keys()) {
        const name = names[(turn + offset) % names.length]!
        samples.get(name)!.push(await timed(() => contestants[name]!(turn)))
      }
    }
    const base = samples.get(encodeReference)!
    return Object.fromEntries(names.map((name) => [name, summarize(samples.get(name)!, base, seconds)]))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

const settings = videoSettings()

/** The ladder that ours decides on, for all. */
async function planOf(tools: VideoTools, { source, folder }: { source: string; folder: string }): Promise<EncodePlan> {
  const looked = { path: source, subject: 'source', folder, limits: settings.limits, settings, id: 'bench' }
  const object = {
    key: 'source',
    etag: '"1"',
    size: 0,
    type: '',
    modifiedAt: 0,
    metadata: {},
    crc32c: undefined,
  } as const
  const facts = { ...object, cacheControl: undefined, disposition: undefined }
  return makePlan(tools, { ...looked, source: facts })
}

/** What somebody would write by hand: one decode for all renditions, or one after another each with its own. */
async function encodeBare(
  { ffmpeg, features }: VideoTools,
  { source, folder, plan, together }: { source: string; folder: string; plan: EncodePlan; together: boolean },
): Promise<void> {
  const video = plan.video!
  const [chunk] = video.chunks
  const all = video.renditions.map((rendition) => ({ rendition, file: chunkFile(chunk!, rendition) }))
  const sound = soundArguments(plan.audio!, { start: 0, file: 'sound.mp4', rate: settings.audioRate })
  const runs = together ? [all] : all.map((one) => [one])
  for (const [i, renditions] of runs.entries()) {
    const picture = pictureArguments({ plan: video, chunk: chunk!, renditions, start: 0, settings, features })
    const outputs = i === 0 ? [...picture, ...sound] : picture
    await run(ffmpeg, ['-v', 'error', '-nostdin', '-y', '-i', source, ...outputs], { cwd: folder })
  }
}

async function timed(work: () => Promise<unknown>): Promise<Sample> {
  const [began, all, own] = [performance.now(), processTreeCpuUs(process.pid), ownCpuUs()]
  await work()
  const nodeUs = ownCpuUs() - own
  const toolsUs = Math.max(0, processTreeCpuUs(process.pid) - all - nodeUs)
  return { elapsedMs: performance.now() - began, nodeUs, toolsUs }
}

function ownCpuUs(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}

function summarize(samples: readonly Sample[], base: readonly Sample[], seconds: number): Measurement {
  const cpu = ({ nodeUs, toolsUs }: Sample): number => nodeUs + toolsUs
  const elapsed = Float64Array.from(samples.map(({ elapsedMs }) => elapsedMs))
  return {
    ratio: significant(median(samples.map((sample, turn) => cpu(sample) / cpu(base[turn]!)))),
    opsPerS: significant(median(samples.map(({ elapsedMs }) => (seconds * 1000) / elapsedMs))),
    p50Ms: significant(percentile(elapsed, 0.5)),
    p99Ms: significant(percentile(elapsed, 0.99)),
    nodeCpuUs: significant(median(samples.map(({ nodeUs }) => nodeUs / seconds))),
    serverCpuUs: significant(median(samples.map(({ toolsUs }) => toolsUs / seconds))),
  }
}
