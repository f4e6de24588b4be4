import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { probe } from '../../../src/files/video/probe.ts'
import { findTools, type VideoTools } from '../../../src/files/video/tools.ts'
import type { VideoProbe } from '../../../src/files/video/types.ts'
import { videoSettings } from '../../../src/files/video/video-settings.ts'
import { hasFfmpeg } from '../../servers/ffmpeg.ts'
import { turned } from './clips.ts'
import { Workbench } from './workbench.ts'

const x264 = ['-c:v', 'libx264', '-preset', 'ultrafast'] as const

describe.skipIf(!hasFfmpeg())('what is in a file', () => {
  let bench: Workbench
  let alone: VideoTools
  beforeAll(async () => {
    bench = await Workbench.open()
    alone = await findTools({ ffprobe: false })
  })
  afterAll(() => bench.close())

  /** As ffprobe says it, and as ffmpeg alone does: both the same. */
  async function look(path: string): Promise<VideoProbe> {
    const options = { path, subject: 'in', folder: bench.folder, limits: videoSettings().limits }
    const [one, other] = [await probe(bench.tools, options), await probe(alone, options)]
    // It writes hundredths of a second, and of a frame.
    expect(other.duration).toBeCloseTo(one.duration, 1)
    const rate = ({ video }: VideoProbe) => (video?.frameRate.num ?? 0) / (video?.frameRate.den ?? 1)
    expect(rate(other)).toBeCloseTo(rate(one), 1)
    const video = other.video && { ...other.video, frameRate: one.video?.frameRate }
    expect({ ...other, duration: one.duration, start: one.start, video }).toEqual(one)
    return one
  }
  const filtered = (name: string, filter: string, ...options: string[]): Promise<string> =>
    bench.clips.picture(name, { seconds: 1, options: ['-vf', filter, ...options] })

  test('is its streams, its length and its shape', async () => {
    const path = await bench.clips.numbered('plain.mp4', { rate: '30000/1001', seconds: 2 })
    const found = await look(path)
    expect(found.container).toContain('mp4')
    expect(found.duration).toBeCloseTo(2, 1)
    expect(found.video).toMatchObject({
      codec: 'h264',
      width: 320,
      height: 180,
      display: { width: 320, height: 180 },
      rotation: 0,
      frameRate: { num: 30_000, den: 1001 },
      variable: false,
      bitDepth: 8,
      hdr: undefined,
      interlaced: false,
    })
    expect(found.audio).toMatchObject([{ codec: 'aac', channels: 1, layout: 'mono', sampleRate: 44_100 }])
  })

  test('is turned as the phone was held', async () => {
    const plain = await bench.clips.picture('level.mp4')
    for (const [rotation, width, height] of [
      [90, 180, 320],
      [180, 320, 180],
      [270, 180, 320],
    ] as const) {
      const path = await turned(bench.clips, { plain, rotation })
      expect((await look(path)).video).toMatchObject({ rotation, display: { width, height } })
    }
  })

  test('has pixels that are not square', async () => {
    const found = await look(await filtered('wide.mp4', 'scale=180:144,setsar=16/11'))
    expect(found.video).toMatchObject({ width: 180, height: 144, display: { width: 262, height: 144 } })
  })

  test('has frames at times of their own', async () => {
    const varying = await filtered('varying.mp4', "select='not(mod(n,3))+gt(mod(n,20),16)'", '-fps_mode', 'vfr')
    expect((await look(varying)).video).toMatchObject({ variable: true })
    expect((await look(await bench.clips.picture('even.mp4'))).video).toMatchObject({ variable: false })
  })

  test('has ten bits, and more light than a plain screen', async () => {
    const bright = [
      '-pix_fmt',
      'yuv420p10le',
      '-color_trc',
      'smpte2084',
      '-color_primaries',
      'bt2020',
      '-colorspace',
      'bt2020nc',
    ]
    const found = await look(await filtered('bright.mp4', 'null', ...bright))
    expect(found.video).toMatchObject({ bitDepth: 10, hdr: 'pq', pixelFormat: 'yuv420p10le' })
  })

  test('is interlaced', async () => {
    const options = ['-flags', '+ildct+ilme', '-x264-params', 'tff=1']
    const found = await look(
      await filtered('fields.mp4', 'tinterlace=interleave_top,setfield=tff', ...x264, ...options),
    )
    expect(found.video).toMatchObject({ interlaced: true, variable: false })
  })

  test('has surround sound, several languages, and captions', async () => {
    const plain = await bench.clips.picture('plain-2.mp4')
    const captions = join(bench.folder, 'captions.srt')
    await writeFile(captions, '1\n00:00:00,000 --> 00:00:01,000\nHello.\n')
    const path = await bench.clips.make('many.mkv', () =>
      [
        [
          '-i',
          plain,
          '-f',
          'lavfi',
          '-i',
          'anullsrc=channel_layout=5.1:sample_rate=48000',
          '-f',
          'lavfi',
          '-i',
          'sine=300',
          '-i',
          captions,
        ],
        ['-map', '0:v', '-map', '1:a', '-map', '2:a', '-map', '3:s', '-t', '1', '-c:v', 'copy', '-c:a', 'flac'],
        ['-metadata:s:a:0', 'language=eng', '-metadata:s:a:1', 'language=swe'],
      ].flat(),
    )
    const { audio, video, subtitles } = await look(path)
    expect(video).toMatchObject({ codec: 'h264' })
    expect(subtitles).toMatchObject([{ codec: 'ass' }])
    expect(audio).toMatchObject([
      { codec: 'flac', channels: 6, layout: '5.1', language: 'eng' },
      { codec: 'flac', channels: 1, layout: 'mono', language: 'swe' },
    ])
  })

  test('is sound alone, and its cover no picture', async () => {
    const tone = await bench.clips.tone('tone.m4a')
    expect((await look(tone)).video).toBeUndefined()
    const cover = await bench.clips.picture('cover.png', {
      seconds: 1,
      options: ['-frames:v', '1', '-c:v', 'png', '-pix_fmt', 'rgb24'],
    })
    const args = ['-i', tone, '-i', cover, '-map', '0', '-map', '1', '-c', 'copy', '-disposition:v:0', 'attached_pic']
    const found = await look(await bench.clips.make('covered.m4a', () => args))
    expect(found.video).toBeUndefined()
    expect(found.audio).toHaveLength(1)
  })
})
