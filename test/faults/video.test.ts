import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { FileStore } from '../../src/files/contract.ts'
import { PlimsollError } from '../../src/core/errors.ts'
import { findTools } from '../../src/files/video/tools.ts'
import type { VideoOptions } from '../../src/files/video/types.ts'
import { ffmpeg } from '../integration/video/clips.ts'
import { Workbench } from '../integration/video/workbench.ts'
import { hasFfmpeg } from '../servers/ffmpeg.ts'
import { programsIn } from './programs-in.ts'

const small = { ladder: { sizes: [90], preset: 'ultrafast' }, sprite: false } as const
const slow = { ladder: { sizes: [360, 720], preset: 'slower' }, sprite: false } as const

describe.skipIf(!hasFfmpeg())('a video', () => {
  let bench: Workbench
  beforeAll(async () => {
    bench = await Workbench.open()
  })
  afterAll(() => bench.close())

  const file = async (name: string, bytes: Uint8Array | string): Promise<string> => {
    const path = join(bench.folder, name)
    await writeFile(path, bytes)
    return path
  }
  const refusal = async (path: string, options: VideoOptions = small): Promise<PlimsollError> => {
    const error = await bench.transcode(path, options).then(
      () => new Error('It was transcoded.'),
      (thrown: unknown) => thrown,
    )
    expect(error).toBeInstanceOf(PlimsollError)
    // What a user is told names no path of this machine.
    expect((error as PlimsollError).message).not.toContain(bench.folder)
    expect((error as PlimsollError).message).not.toContain('/tmp')
    expect([...(await bench.keys('out/')), ...(await bench.keys('.videos/'))]).toEqual([])
    return error as PlimsollError
  }

  describe('that is none is refused', () => {
    test('as random bytes, as text, as nothing', async () => {
      for (const bytes of [randomBytes(50_000), 'Not a video.', '']) {
        expect((await refusal(await file('no-video', bytes))).code).toBe('PLIMSOLL_MEDIA_INVALID')
      }
    })

    test('as a playlist that names a file or an address, whatever it is called', async () => {
      let asked = 0
      const server = createServer((_, response) => {
        asked++
        response.end()
      })
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/clip.mp4`
      const secret = await bench.clips.numbered('secret.mp4', { seconds: 1 })
      const playlists = {
        'hls.mp4': `#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n`,
        'own.mp4': `#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n${secret}\n#EXT-X-ENDLIST\n`,
        'web.mp4': `#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n${address}\n#EXT-X-ENDLIST\n`,
        'list.mp4': `ffconcat version 1.0\nfile '${secret}'\n`,
        'dash.mp4': `<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period><AdaptationSet><Representation id="1" bandwidth="1"><BaseURL>${address}</BaseURL><SegmentBase/></Representation></AdaptationSet></Period></MPD>`,
        'sdp.mp4': `v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n`,
      }
      for (const [name, text] of Object.entries(playlists)) {
        const error = await refusal(await file(name, text))
        expect([name, error.code]).toEqual([name, 'PLIMSOLL_MEDIA_INVALID'])
        expect(error.message).not.toMatch(/root:|passwd/)
      }
      expect(asked).toBe(0)
      server.close()
    })

    test('as a picture', async () => {
      const path = join(bench.folder, 'picture.png')
      await ffmpeg('-f', 'lavfi', '-i', 'testsrc2=size=64x64:duration=1', '-frames:v', '1', path)
      expect((await refusal(path)).code).toBe('PLIMSOLL_MEDIA_INVALID')
    })
  })

  describe('that was cut off is refused', () => {
    test('with its index at the end, and at the beginning', async () => {
      const whole = await bench.clips.numbered('whole.mp4', { seconds: 8 })
      const fast = await bench.clips.make('fast.mp4', () => ['-i', whole, '-c', 'copy', '-movflags', '+faststart'])
      const mkv = await bench.clips.make('whole.mkv', () => ['-i', whole, '-c', 'copy'])
      for (const [name, path] of Object.entries({ whole, fast, mkv })) {
        const half = await file(`half-${name}`, await readFile(path))
        await truncate(half, Math.floor((await stat(path)).size / 2))
        const error = await refusal(half)
        expect([name, error.code]).toEqual([name, 'PLIMSOLL_MEDIA_INVALID'])
      }
    })
  })

  describe('that is above a limit is refused', () => {
    test('with frames of 16000×16000, whether they are there or only said to be', async () => {
      const options = ['-frames:v', '1', '-c:v', 'mjpeg', '-q:v', '31', '-pix_fmt', 'yuvj420p']
      const args = ['-f', 'lavfi', '-i', 'color=gray:size=16000x16000:rate=1:duration=1', ...options]
      const huge = await bench.clips.make('huge.mov', () => args)
      expect((await refusal(huge)).code).toBe('PLIMSOLL_MEDIA_TOO_LARGE')
    })

    test('by its bytes, its length, and the memory that it needs', async () => {
      const clip = await bench.clips.numbered('limits.mp4', { seconds: 4 })
      for (const limits of [{ bytes: 1000 }, { duration: '2s' }, { pixels: 10_000 }] as const) {
        expect((await refusal(clip, { ...small, limits })).code).toBe('PLIMSOLL_MEDIA_TOO_LARGE')
      }
      const big = await bench.clips.picture('memory.mp4', { size: '1920x1080', seconds: 1 })
      const options = { ladder: { sizes: [1080] }, limits: { memory: '300MB' } } as const
      // A program that has come to its end for want of memory may have more of it the next time.
      await expect(bench.transcode(big, options, { input: { to: 'small' } })).rejects.toMatchObject({
        code: expect.stringMatching(/^PLIMSOLL_MEDIA_(?:TOO_LARGE|TOOL_FAILED)$/),
      })
      expect(await manifests(bench.store, 'small/')).toEqual([])
    })

    test('by the time that it takes', async () => {
      const clip = await bench.clips.picture('time.mp4', { size: '1280x720', seconds: 4 })
      const run = bench.transcode(clip, { ...slow, limits: { time: '1s' } }, { input: { to: 'timed' } })
      await expect(run).rejects.toMatchObject({ code: 'PLIMSOLL_MEDIA_TIMEOUT' })
      expect(await manifests(bench.store, 'timed/')).toEqual([])
    })
  })

  test('that says it takes weeks is believed by what it has', async () => {
    const bytes = await readFile(await bench.clips.numbered('claims.mp4', { seconds: 2 }))
    // Every duration that the index names: of the movie, of its tracks and of their media.
    for (const [box, at] of [
      ['mvhd', 16],
      ['mdhd', 16],
      ['tkhd', 20],
    ] as const) {
      for (let i = bytes.indexOf(box); i >= 0; i = bytes.indexOf(box, i + 4))
        bytes.writeUInt32BE(0xf000_0000, i + 4 + at)
    }
    const video = await bench.transcode(await file('claims', bytes), small, { input: { to: 'claims' } })
    expect(video.duration).toBeCloseTo(2, 1)
  })

  test('whose encode is aborted leaves no program running, and no file', async () => {
    const clip = await bench.clips.picture('abort.mp4', { size: '1280x720', seconds: 4 })
    const folder = join(bench.folder, 'aborted')
    await mkdir(folder)
    const controller = new AbortController()
    const reason = new Error('Enough.')
    let abortedAt = 0
    const onProgress = (share: number): void => {
      if (share < 0.05 || abortedAt > 0) return
      abortedAt = performance.now()
      controller.abort(reason)
    }
    const run = bench.transcode(clip, { ...slow, folder }, { signal: controller.signal, onProgress })
    await expect(run).rejects.toBe(reason)
    expect(programsIn(folder)).toEqual([])
    expect(await readdir(folder)).toEqual([])
    expect(await manifests(bench.store, 'out/')).toEqual([])
  })

  test('whose process is killed is gone on with where it was, and nobody sees half of it', async () => {
    const clip = await bench.clips.numbered('killed.mp4', { size: '640x360', seconds: 8 })
    const store = new KilledTranscode(bench, 'killed')
    await store.put(clip)
    const options = {
      ladder: { sizes: [180, 360], preset: 'medium' },
      segment: '2s',
      chunk: '2s',
      sprite: false,
    } as const
    const child = store.start(options)
    await expect.poll(() => store.finished(), { timeout: 60_000, interval: 20 }).toBeGreaterThan(2)
    child.kill('SIGKILL')
    await expect.poll(() => programsIn(store.folder)).toEqual([])
    expect(await store.manifests()).toEqual([])
    const before = await store.chunks()
    expect(before.size).toBeGreaterThan(1)

    const again = store.start(options)
    const ended = new Promise<number | null>((resolve) => again.once('exit', resolve))
    // What is there once a manifest is: looked at after that was seen.
    const seen: (readonly string[])[] = []
    const lookAll = async (): Promise<void> => {
      if ((await store.manifests()).length > 0) seen.push(await store.keys())
    }
    const watch = setInterval(() => void lookAll(), 20)
    let during = new Map<string, string>()
    const look = setInterval(() => void store.chunks().then((now) => (during = new Map([...during, ...now]))), 20)
    expect(await ended).toBe(0)
    clearInterval(watch)
    clearInterval(look)
    // What was finished is as it was: nothing was encoded a second time.
    for (const [key, modified] of before) expect([key, during.get(key)]).toEqual([key, modified])
    expect(await store.manifests()).toHaveLength(2)
    await lookAll()
    const named = (await store.keys()).filter((key) => !manifestName.test(key) && !key.endsWith('package.json'))
    for (const keys of seen) expect(named.filter((key) => !keys.includes(key))).toEqual([])
  }, 120_000)

  test('is not shown when the storage fails on the way, and is gone on with when it is back', async () => {
    const clip = await bench.clips.numbered('storage.mp4', { seconds: 4 })
    const down = new PlimsollError('PLIMSOLL_STORAGE_UNREACHABLE', 'The storage is down.')
    let puts = 0
    const failing = (after: number): FileStore =>
      new Proxy(bench.store, {
        get(target, name) {
          const value: unknown = Reflect.get(target, name, target)
          if (name !== 'put') return typeof value === 'function' ? value.bind(target) : value
          return (...args: Parameters<FileStore['put']>) =>
            puts++ < after ? target.put(...args) : Promise.reject(down)
        },
      })
    // While it keeps the plan, the chunk, the segments, the playlists.
    for (const after of [0, 1, 3, 6, 12]) {
      puts = 0
      await expect(bench.transcode(clip, small, { store: failing(after), input: { to: 'down' } })).rejects.toBe(down)
      expect(await manifests(bench.store, 'down/')).toEqual([])
    }
    await bench.transcode(clip, small, { input: { to: 'down' } })
    expect(await manifests(bench.store, 'down/')).toHaveLength(2)
  })

  test('that is replaced while it is encoded is not shown', async () => {
    const clip = await bench.clips.numbered('replaced.mp4', { seconds: 4 })
    const other = await readFile(await bench.clips.numbered('other.mp4', { seconds: 2 }))
    let replaced: Promise<unknown> | undefined
    const onProgress = (_: number, note: string): void => {
      if (note.startsWith('Encoding')) replaced ??= bench.store.put('in', other)
    }
    await expect(bench.transcode(clip, small, { onProgress, input: { to: 'replaced' } })).rejects.toMatchObject({
      code: 'PLIMSOLL_FILE_CHANGED',
    })
    await replaced
    expect(await manifests(bench.store, 'replaced/')).toEqual([])
  })

  test('without ffmpeg says what to install', async () => {
    await expect(findTools({ ffmpeg: '/nowhere/ffmpeg' })).rejects.toMatchObject({
      code: 'PLIMSOLL_MEDIA_TOOL_MISSING',
    })
  })
})

const manifestName = /(?:master\.m3u8|manifest\.mpd)$/

async function manifests(store: FileStore, prefix: string): Promise<string[]> {
  return (await store.list(prefix)).objects.map(({ key }) => key).filter((key) => manifestName.test(key))
}

/** A store that a process of its own transcodes in. */
class KilledTranscode {
  readonly folder: string
  readonly #bench: Workbench

  constructor(bench: Workbench, name: string) {
    this.#bench = bench
    this.folder = join(bench.folder, `${name}-work`)
  }

  async put(path: string): Promise<void> {
    await mkdir(this.folder)
    await this.#bench.store.put('in', await readFile(path))
  }

  start(options: VideoOptions) {
    const program = fileURLToPath(new URL('video-process.ts', import.meta.url))
    const args = [program, join(this.#bench.folder, 'store'), this.folder, JSON.stringify(options)]
    return spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] })
  }

  /** The finished chunks, by key. */
  async chunks(): Promise<Map<string, string>> {
    const { objects } = await this.#bench.store.list('.videos/')
    return new Map(objects.filter(({ key }) => /\d{5}-\w+\.fmp4$/.test(key)).map(({ key, etag }) => [key, etag]))
  }

  async finished(): Promise<number> {
    return (await this.chunks()).size
  }

  manifests(): Promise<string[]> {
    return manifests(this.#bench.store, 'out/')
  }

  keys(): Promise<string[]> {
    return this.#bench.keys('out/')
  }
}
