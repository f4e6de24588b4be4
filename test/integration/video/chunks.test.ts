import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import { hasFfmpeg } from '../../servers/ffmpeg.ts'
import { ffmpeg, frameNumbers, packetTimes } from './clips.ts'
import type { FileStore } from '../../../src/files/contract.ts'
import { keepCut, transcodeChunk } from '../../../src/files/video/transcode-chunk.ts'
import type { TranscodeParts } from '../../../src/files/video/transcode-parts.ts'
import { videoSettings } from '../../../src/files/video/video-settings.ts'
import { Workbench } from './workbench.ts'

const small = {
  ladder: { sizes: [90, 180], preset: 'ultrafast' },
  segment: '2s',
  poster: false,
  sprite: false,
} as const

describe.skipIf(!hasFfmpeg())('a video that is encoded in chunks', () => {
  let bench: Workbench
  beforeAll(async () => {
    bench = await Workbench.open()
  })
  afterAll(() => bench.close())

  // The second one stores frames in another order than they are shown in.
  test.each([
    ['25', 'ultrafast'],
    ['30000/1001', 'veryfast'],
  ] as const)(
    'has the frames, the times and the sound of one that is not, at %s frames a second, %s',
    async (rate, preset) => {
      const source = await bench.clips.numbered(`${rate.replace('/', '-')}.mp4`, { rate, seconds: 7 })
      const options = { ...small, ladder: { ...small.ladder, preset } }
      const whole = await bench.export(await bench.transcode(source, { ...options, chunk: '1m' }), 'whole')
      const cut = await bench.export(await bench.transcode(source, { ...options, chunk: '2s' }), 'cut')
      const frames = await frameNumbers(source)
      expect(frames.length).toBeGreaterThan(170)
      for (const name of ['90p', '180p']) {
        const [one, other] = [join(whole, name, 'index.m3u8'), join(cut, name, 'index.m3u8')]
        expect(await frameNumbers(one)).toEqual(frames)
        expect(await frameNumbers(other)).toEqual(frames)
        expect(await packetTimes(other, 'v:0')).toEqual(await packetTimes(one, 'v:0'))
      }
      const sound = (folder: string) => ffmpeg('-i', join(folder, 'audio/index.m3u8'), '-f', 'md5', '-')
      expect((await sound(cut)).toString()).toBe((await sound(whole)).toString())
    },
  )

  test('has its frames at their times when the last chunk has one, of which none can be stored in another order', async () => {
    const plain = await bench.clips.numbered('plain.mp4', { seconds: 7 })
    const ends = ['-vf', 'trim=end_frame=121', '-af', 'atrim=end=5.2']
    const source = await bench.clips.make('short.mp4', () => ['-i', plain, ...ends, '-c:v', 'libx264', '-c:a', 'aac'])
    const options = { ...small, ladder: { sizes: [90], preset: 'veryfast' } } as const
    const whole = await bench.export(await bench.transcode(source, { ...options, chunk: '1m' }), 'whole-short')
    const cut = await bench.export(await bench.transcode(source, { ...options, chunk: '2s' }), 'cut-short')
    const [one, other] = [join(whole, '90p/index.m3u8'), join(cut, '90p/index.m3u8')]
    expect(await frameNumbers(other)).toEqual(Array.from({ length: 121 }, (_, i) => i))
    expect(await packetTimes(other, 'v:0')).toEqual(await packetTimes(one, 'v:0'))
  })

  test.each([
    ['90%', 189],
    // The last frame of the first chunk begins at 1.967 s.
    [1966, 59],
    [1980, 60],
    ['100%', 204],
    [0, 0],
  ] as const)('has its poster from the chunk that it is in, at %s', async (at, frame) => {
    const source = await bench.clips.numbered('poster.mp4', { seconds: 7 })
    const options = { ...small, poster: { at }, chunk: '2s' } as const
    const { poster } = await bench.transcode(source, options, { input: { to: 'poster' } })
    expect(await frameNumbers(bench.store.features.localPath!(poster!))).toEqual([frame])
  })

  test('has AV1 beside it that is as long, in chunks too', async ({ skip }) => {
    if (bench.tools.features.av1 === undefined) return skip('this ffmpeg has no encoder for AV1')
    const source = await bench.clips.numbered('av1.mp4', { seconds: 5 })
    const ladder = { sizes: [90], preset: 'ultrafast', av1: true } as const
    const video = await bench.transcode(source, { ...small, ladder, chunk: '2s' }, { input: { to: 'av1' } })
    expect(video.renditions.map(({ name }) => name)).toEqual(['90p', '90p-av1'])
    const folder = await bench.export(video)
    for (const { name } of video.renditions)
      expect(await frameNumbers(join(folder, name, 'index.m3u8'))).toEqual(await frameNumbers(source))
  })

  test('is the same where there are no pipes with names', async () => {
    const source = await bench.clips.numbered('unpiped.mp4', { seconds: 7 })
    vi.stubEnv('PATH', '/nowhere')
    onTestFinished(() => void vi.unstubAllEnvs())
    const video = await bench.transcode(source, { ...small, chunk: '2s' }, { input: { to: 'unpiped' } })
    vi.unstubAllEnvs()
    const shown = join(await bench.export(video), '180p/index.m3u8')
    expect(await frameNumbers(shown)).toEqual(await frameNumbers(source))
  })

  test('is of many chunks without a warning', async () => {
    const warnings: Error[] = []
    const onWarning = (warning: Error): void => void warnings.push(warning)
    process.on('warning', onWarning)
    onTestFinished(() => void process.off('warning', onWarning))
    const source = await bench.clips.picture('many.mp4', { size: '160x90', rate: '10', seconds: 30 })
    const { objects } = await bench.transcode(source, { ...small, chunk: '2s' }, { input: { to: 'many' } })
    expect(objects).toBeGreaterThan(15)
    expect(warnings).toEqual([])
  })

  const sources: Record<string, { readonly name: string; readonly args: readonly string[] }> = {
    'an MP4 with B-frames and few key frames': { name: 'few.mp4', args: ['-bf', '3', '-g', '100', '-c:v', 'libx264'] },
    'a Matroska file with open groups of pictures': {
      name: 'open.mkv',
      args: ['-c:v', 'libx264', '-x264-params', 'open-gop=1:keyint=25:bframes=3', '-c:a', 'aac'],
    },
    'a transport stream': { name: 'stream.ts', args: ['-c:v', 'libx264', '-g', '40', '-c:a', 'aac'] },
    'frames at times of their own': {
      name: 'varying.mp4',
      args: [
        ['-vf', "select='not(mod(n,3))+gt(mod(n,50),40)',setpts='PTS+if(mod(N,2),0.011/TB,0)'", '-fps_mode', 'vfr'],
        ['-c:v', 'libx264', '-g', '30', '-bf', '2'],
      ].flat(),
    },
    'a picture that begins after the sound': {
      name: 'late.mp4',
      args: ['-vf', 'setpts=PTS+0.5/TB', '-c:v', 'libx264'],
    },
  }
  test.each(Object.entries(sources))('by others comes out the same: %s', async (_, { name, args }) => {
    const plain = await bench.clips.numbered('plain.mp4', { seconds: 7 })
    const source = await bench.clips.make(name, () => ['-i', plain, '-pix_fmt', 'yuv420p', ...args])
    const options = { ...small, ladder: { sizes: [90], preset: 'ultrafast' } } as const
    const whole = await bench.export(await bench.transcode(source, { ...options, chunk: '1m' }), `whole-${name}`)
    let encoded = 0
    const help: TranscodeParts['help'] = async (plan, work, path) => {
      const settings = videoSettings({ ...options, chunk: '2s' })
      const { chunks } = plan.video!
      for (const chunk of chunks) {
        await keepCut(bench.tools, { plan, chunk, work, path, settings })
        const parts = { store: bench.store, tools: bench.tools, settings }
        encoded += (await transcodeChunk({ prefix: work.prefix, index: chunk.index }, parts)) ? 1 : 0
      }
      return undefined
    }
    const cut = await bench.export(await bench.transcode(source, { ...options, chunk: '2s' }, { help }), `cut-${name}`)
    expect(encoded).toBeGreaterThan(2)
    const numbers = await frameNumbers(join(whole, '90p/index.m3u8'))
    expect(numbers.length).toBeGreaterThan(90)
    expect(await frameNumbers(join(cut, '90p/index.m3u8'))).toEqual(numbers)
  })

  test('by others is brought here while the rest is encoded, so that nothing is left to bring when it is packaged', async () => {
    const source = await bench.clips.numbered('brought.mp4', { seconds: 6 })
    const options = { ...small, chunk: '2s' } as const
    const parts = { store: bench.store, tools: bench.tools, settings: videoSettings(options) }
    const help: TranscodeParts['help'] = async (plan, work, path) => {
      const [first] = plan.video!.chunks
      const { promise: helped, resolve } = Promise.withResolvers<void>()
      return {
        async give(signal) {
          await keepCut(bench.tools, { plan, chunk: first!, work, path, settings: parts.settings, signal })
          await transcodeChunk({ prefix: work.prefix, index: 0 }, parts)
          resolve()
        },
        async take() {
          await helped
          return false
        },
        async wait() {},
        async end() {},
      }
    }
    const happened: string[] = []
    const store = new Proxy(bench.store, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target)
        if (name !== 'get') return typeof value === 'function' ? value.bind(target) : value
        return (...given: Parameters<FileStore['get']>) => {
          happened.push(given[0].slice(given[0].lastIndexOf('/') + 1))
          return target.get(...given)
        }
      },
    })
    const onProgress = (_: number, note: string): void => void happened.push(note)
    await bench.store.put('brought', createReadStream(source))
    await bench.transcodeIn(store, options, { source: 'brought', to: 'brought' }, { help, onProgress })
    const packaged = happened.indexOf('Packaging')
    const got = happened.filter((what) => what.endsWith('p.fmp4'))
    expect(got).toEqual(['00000-90p.fmp4', '00000-180p.fmp4'])
    expect(happened.lastIndexOf(got.at(-1)!)).toBeLessThan(packaged)
  })
})
