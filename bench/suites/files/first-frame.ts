import { execFile } from 'node:child_process'
import { createReadStream } from 'node:fs'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { fastify, type FastifyInstance } from 'fastify'
import type { Browser } from 'playwright-core'
import type { FileStore } from '../../../src/files/contract.ts'
import { diskStore } from '../../../src/files/drivers/disk/disk-store.ts'
import { findTools } from '../../../src/files/video/tools.ts'
import { transcode } from '../../../src/files/video/transcode.ts'
import type { VideoPackage } from '../../../src/files/video/types.ts'
import { videoSettings } from '../../../src/files/video/video-settings.ts'
import { plimsoll } from '../../../src/http/index.ts'
import { openBrowser } from '../../../test/e2e/browser.ts'
import type { Measurement } from '../../harness/measure.ts'
import { median, percentile, significant } from '../../harness/stats.ts'
import type { Target } from '../../harness/targets.ts'

const run = promisify(execFile)

/** The line of somebody on the way, as a browser makes believe. */
const line = { bitsPerSecond: 1_500_000, latencyMs: 40 }

/** How long the clip is, in seconds, and how often each player begins it. */
export interface FirstFrameOptions {
  readonly seconds: number
  readonly turns: number
}

export const firstFrameOptions = {
  whole: { seconds: 24, turns: 15 },
  quick: { seconds: 8, turns: 3 },
} as const satisfies Record<string, FirstFrameOptions>

export const firstFrameTitle =
  'from a press on play to the first picture of a 720p clip, at 1.5 Mbit/s and 40 ms, by a player whose code is there; segments of 2 s, the default. An operation is a start'
export const firstFrameReference = 'hls.js-defaults'

const contestants = ['plimsoll-hls', 'plimsoll-dash', firstFrameReference] as const
type Contestant = (typeof contestants)[number]

export const firstFrameTargets: readonly Target[] = (['plimsoll-hls', 'plimsoll-dash'] as const).map((name) => ({
  text: `first-frame: ${name}, ms at 1.5 Mbit/s`,
  most: 1100,
  value: ({ workloads }) => workloads['first-frame']?.[name]?.p50Ms,
}))

/** The workload `first-frame`: the players of the studio, and hls.js as it comes, on the same package in a real browser. Each start has an empty cache. */
export async function measureFirstFrame({ seconds, turns }: FirstFrameOptions): Promise<Record<string, Measurement>> {
  const folder = await mkdtemp(join(tmpdir(), 'plimsoll-bench-frame-'))
  await using store = diskStore({ folder: join(folder, 'store') })
  let service: FastifyInstance | undefined
  let browser: Browser | undefined
  try {
    const video = await makePackage(store, { folder, seconds })
    service = await serve(store)
    const url = `http://127.0.0.1:${(service.server.address() as AddressInfo).port}`
    browser = await openBrowser()
    const samples = new Map<Contestant, number[]>(contestants.map((name) => [name, []]))
    for (let turn = -1; turn < turns; turn++) {
      for (const offset of contestants.keys()) {
        const name = contestants[(turn + 1 + offset) % contestants.length]!
        const ms = await startOnce(browser, { url, name, video })
        // The first turn warms up.
        if (turn >= 0) samples.get(name)!.push(ms)
      }
    }
    const base = samples.get(firstFrameReference)!
    return Object.fromEntries(contestants.map((name) => [name, summarize(samples.get(name)!, base)]))
  } finally {
    await browser?.close()
    await service?.close()
    await rm(folder, { recursive: true, force: true })
  }
}

async function makePackage(
  store: FileStore,
  { folder, seconds }: { readonly folder: string; readonly seconds: number },
): Promise<VideoPackage> {
  const path = join(folder, 'source.mp4')
  const picture = `testsrc2=size=1280x720:rate=30:duration=${seconds},noise=alls=4:allf=t`
  const inputs = ['-f', 'lavfi', '-i', picture, '-f', 'lavfi', '-i', `sine=440:duration=${seconds}`]
  const coded = ['-c:v', 'libx264', '-preset', 'veryfast', '-pix_fmt', 'yuv420p', '-c:a', 'aac', '-shortest']
  await run('ffmpeg', ['-v', 'error', '-nostdin', '-y', ...inputs, ...coded, path])
  await store.put('source', createReadStream(path))
  return transcode({ source: 'source', to: 'out' }, { store, tools: await findTools(), settings: videoSettings() })
}

/** Serves the package by `downloads`, the players of the studio, and a page with nothing but a video. */
async function serve(store: FileStore): Promise<FastifyInstance> {
  const server = fastify()
  await server.register(plimsoll, { docs: false, openapi: false })
  server.downloads(store, '/media')
  server.get('/', (_, reply) =>
    reply.type('text/html').send('<!doctype html><video id="video" muted playsinline></video>'),
  )
  const web = fileURLToPath(new URL('../../../examples/studio/web/', import.meta.url))
  const packages = fileURLToPath(new URL('../../../node_modules/', import.meta.url))
  const files = new Map<string, string>([
    ...(await readdir(web)).map((name) => [`/${name}`, join(web, name)] as const),
    ['/libraries/hls.js', join(packages, 'hls.js/dist/hls.min.mjs')],
    ['/libraries/dash.js', join(packages, 'dashjs/dist/modern/esm/dash.mediaplayer.min.js')],
  ])
  for (const [address, path] of files) {
    if (!/\.m?js$/.test(path)) continue
    const body = await readFile(path)
    server.get(address, (_, reply) => reply.type('text/javascript').header('cache-control', 'max-age=600').send(body))
  }
  await server.listen({ port: 0, host: '127.0.0.1' })
  return server
}

/** Milliseconds from the order to play until a picture is on the screen. */
async function startOnce(
  browser: Browser,
  { url, name, video }: { readonly url: string; readonly name: Contestant; readonly video: VideoPackage },
): Promise<number> {
  const context = await browser.newContext()
  try {
    const page = await context.newPage()
    await page.goto(url)
    await page.evaluate(scripts.load)
    const session = await context.newCDPSession(page)
    await session.send('Network.enable')
    const throughput = line.bitsPerSecond / 8
    await session.send('Network.emulateNetworkConditions', {
      offline: false,
      latency: line.latencyMs,
      downloadThroughput: throughput,
      uploadThroughput: throughput,
    })
    const addresses = JSON.stringify({ hls: `/media/${video.hls}`, dash: `/media/${video.dash}` })
    return await page.evaluate<number>(scripts.start(name, addresses))
  } finally {
    await context.close()
  }
}

/** What runs in the page. Its code is fetched before the line becomes slow: browsers keep it, and the page shows a poster meanwhile. */
const scripts = {
  load: `Promise.all(['/player.js', '/hls-player.js', '/dash-player.js'].map((name) => import(name))).then(() => {})`,
  start: (name: Contestant, addresses: string) => `new Promise((resolve, reject) => {
    const video = document.getElementById('video')
    const addresses = ${addresses}
    const began = performance.now()
    video.requestVideoFrameCallback(() => resolve(performance.now() - began))
    setTimeout(() => reject(new Error('${name} has shown nothing for a minute')), 60_000)
    const ignore = () => {}
    const told = { heights: ignore, shows: ignore, fetched: ignore, firstFrame: ignore, captions: ignore, failed: (text) => reject(new Error(text)) }
    const opened = ${
      name === firstFrameReference
        ? `import('/libraries/hls.js').then(({ default: Hls }) => {
      const hls = new Hls({ enableWorker: false })
      hls.loadSource(addresses.hls)
      hls.attachMedia(video)
    })`
        : `import('/player.js').then(({ openPlayer }) => openPlayer(video, { way: '${name.slice('plimsoll-'.length)}', addresses, told }))`
    }
    opened.then(() => video.play()).catch(reject)
  })`,
}

function summarize(samples: readonly number[], base: readonly number[]): Measurement {
  const sorted = Float64Array.from(samples)
  return {
    ratio: significant(median(samples.map((ms, turn) => base[turn]! / ms))),
    opsPerS: significant(1000 / median(samples)),
    p50Ms: significant(percentile(sorted, 0.5)),
    p99Ms: significant(percentile(sorted, 0.99)),
    nodeCpuUs: 0,
    serverCpuUs: 0,
  }
}
