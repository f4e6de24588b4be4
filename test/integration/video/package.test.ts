import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseMaster, parseMedia } from '../../../src/files/video/playlists.ts'
import type { VideoPackage } from '../../../src/files/video/types.ts'
import { hasFfmpeg } from '../../servers/ffmpeg.ts'
import { ffmpeg, ffprobe, frameNumbers, turned } from './clips.ts'
import { Workbench } from './workbench.ts'

/** ffmpeg takes captions for no media; players do. */
const opened = (manifest: string): string[] =>
  manifest.endsWith('.mpd') ? ['-allowed_extensions', 'ALL', '-i', manifest] : ['-i', manifest]

const small = { ladder: { sizes: [90, 180], preset: 'ultrafast' }, poster: false, sprite: false } as const

describe.skipIf(!hasFfmpeg())('a package', () => {
  let bench: Workbench
  beforeAll(async () => {
    bench = await Workbench.open()
  })
  afterAll(() => bench.close())

  const text = (folder: string, name: string): Promise<string> => readFile(join(folder, name), 'utf8')
  const mediaOf = async (folder: string, uri: string) => parseMedia(await text(folder, uri))
  /** The streams that a player of either manifest finds, each read to its end. */
  const play = async (
    manifest: string,
  ): Promise<{ codec_type: string; height?: number; nb_read_packets: string }[]> => {
    const shown = 'stream=codec_type,codec_name,width,height,nb_read_packets,sample_aspect_ratio'
    return (await ffprobe('-count_packets', '-show_entries', shown, ...opened(manifest))).streams
  }

  describe('of a video with sound and captions', () => {
    let video: VideoPackage
    let folder: string
    const nameOf = (key: string): string => key.slice(video.prefix.length + 1)
    beforeAll(async () => {
      const en = 'WEBVTT\n\n00:00.500 --> 00:01.500\nHello there.\n\n00:05.000 --> 00:06.000\nGood-bye.\n'
      await bench.store.put('en.vtt', Buffer.from(en), { type: 'text/vtt' })
      await bench.store.put('sv.vtt', Buffer.from(en.replace('Hello there', 'Hej')), { type: 'text/vtt' })
      const captions = [
        { key: 'en.vtt', language: 'en', label: 'English' },
        { key: 'sv.vtt', language: 'sv' },
      ]
      const options = { ladder: { sizes: [90, 180, 360] }, poster: { at: '50%' }, sprite: { size: 80 } } as const
      const source = await bench.clips.numbered('source.mp4', { seconds: 7 })
      video = await bench.transcode(source, options, { input: { captions } })
      folder = await bench.export(video)
    })

    test('says what it holds', async () => {
      expect(video).toMatchObject({ duration: 7, audio: { codec: 'mp4a.40.2', channels: 1 } })
      expect(video.renditions).toMatchObject([
        { name: '90p', width: 160, height: 90, frameRate: 30, codec: expect.stringMatching(/^avc1\.6400/) },
        { name: '180p', width: 320, height: 180, frameRate: 30, codec: expect.stringMatching(/^avc1\.6400/) },
      ])
      const keys = await bench.keys(`${video.prefix}/`)
      expect(keys).toHaveLength(video.objects + 2)
      expect(keys).toEqual(expect.arrayContaining([video.hls, video.dash, video.poster, video.sprite!.index]))
      expect(await bench.keys('.videos/')).toEqual([])
    })

    test('has everything that its playlists name, in segments that begin together', async () => {
      const master = parseMaster(await text(folder, nameOf(video.hls)))
      expect(await text(folder, nameOf(video.hls))).toContain('#EXT-X-INDEPENDENT-SEGMENTS')
      expect(master.variants.map(({ uri }) => uri)).toEqual(['90p/index.m3u8', '180p/index.m3u8', 'audio/index.m3u8'])
      for (const { attributes, uri } of master.variants.slice(0, 2)) {
        expect(attributes).toMatchObject({ 'FRAME-RATE': '30.000', AUDIO: 'audio', SUBTITLES: 'captions' })
        expect(attributes['CODECS']).toMatch(/^avc1\.6400[0-9a-f]{2},mp4a\.40\.2(?:,wvtt)?$/)
        expect(Number(attributes['AVERAGE-BANDWIDTH'])).toBeLessThanOrEqual(Number(attributes['BANDWIDTH']))
        const { init, segments, ended } = await mediaOf(folder, uri)
        expect(ended).toBe(true)
        expect(segments.map(({ duration }) => duration)).toEqual([2, 2, 2, 1])
        for (const name of [init!, ...segments.map((segment) => segment.uri)]) {
          await readFile(join(folder, dirname(uri), name))
        }
      }
      expect(master.iframes.map((attributes) => attributes['URI'])).toEqual(['90p/iframes.m3u8', '180p/iframes.m3u8'])
      const sound = await mediaOf(folder, 'audio/index.m3u8')
      expect(sound.segments.reduce((sum, { duration }) => sum + duration, 0)).toBeCloseTo(7, 1)
    })

    test('plays to its end over HLS and DASH, with the frames of the source', async () => {
      const frames = await frameNumbers(await bench.clips.numbered('source.mp4', { seconds: 7 }))
      for (const manifest of [video.hls, video.dash].map(nameOf)) {
        const streams = await play(join(folder, manifest))
        const pictures = streams.filter((stream) => stream.codec_type === 'video')
        expect(pictures.map(({ height }) => height).sort()).toEqual([180, 90])
        // ffprobe may not read the last packets of streams that nobody asked for; the frames below are asked for.
        for (const [i] of pictures.entries())
          expect(await frameNumbers(opened(join(folder, manifest)), `v:${i}`)).toEqual(frames)
        expect(streams.some((stream) => stream.codec_type === 'audio')).toBe(true)
      }
    })

    test('begins every segment with a key frame, and has one every two seconds', async () => {
      const playlist = join(folder, '180p/index.m3u8')
      const { packets } = await ffprobe('-select_streams', 'v:0', '-show_entries', 'packet=pts_time,flags', playlist)
      const keys = (packets as { pts_time: string; flags: string }[]).filter(({ flags }) => flags.startsWith('K'))
      expect(keys.map(({ pts_time: time }) => Number(time))).toEqual([0, 2, 4, 6])
    })

    test('has its captions beside it and in both manifests', async () => {
      const named = (language: string): unknown =>
        expect.stringMatching(new RegExp(`^${video.prefix}/captions-${language}-[\\da-f]{12}\\.vtt$`))
      expect(video.captions).toEqual([
        { key: named('en'), language: 'en', label: 'English' },
        { key: named('sv'), language: 'sv', label: 'sv' },
      ])
      const [en] = video.captions.map(({ key }) => nameOf(key))
      expect(await text(folder, en!)).toContain('Hello there.')
      const { media } = parseMaster(await text(folder, nameOf(video.hls)))
      const subtitles = media.filter((one) => one['TYPE'] === 'SUBTITLES')
      expect(subtitles.map((one) => [one['LANGUAGE'], one['NAME']]).sort()).toEqual([
        ['en', 'English'],
        ['sv', 'sv'],
      ])
      const uri = subtitles.find((one) => one['LANGUAGE'] === 'sv')!['URI']!
      const { segments } = await mediaOf(folder, uri)
      expect(await text(folder, join(dirname(uri), segments[0]!.uri))).toContain('Hej.')
      const manifest = await text(folder, nameOf(video.dash))
      expect(manifest).toMatch(/contentType="text" mimeType="text\/vtt" lang="en"/)
      expect(manifest).toContain(`<BaseURL>${en}</BaseURL>`)
    })

    test('has a poster, and a sprite whose index names each picture', async () => {
      const shape = async (path: string) => (await ffprobe('-show_entries', 'stream=width,height', path)).streams[0]
      expect(await shape(join(folder, 'poster.jpg'))).toEqual({ width: 320, height: 180 })
      expect(await shape(join(folder, 'sprite-001.jpg'))).toEqual({ width: 320, height: 46 })
      const cues = [...(await text(folder, 'sprite.vtt')).matchAll(/(\S+) --> (\S+)\n(\S+)/g)].map(([, ...cue]) => cue)
      expect(cues).toEqual([
        ['00:00:00.000', '00:00:02.000', 'sprite-001.jpg#xywh=0,0,80,46'],
        ['00:00:02.000', '00:00:04.000', 'sprite-001.jpg#xywh=80,0,80,46'],
        ['00:00:04.000', '00:00:06.000', 'sprite-001.jpg#xywh=160,0,80,46'],
        ['00:00:06.000', '00:00:07.000', 'sprite-001.jpg#xywh=240,0,80,46'],
      ])
      // Each picture is the frame of its moment: numbers 0, 60, 120, 180.
      for (const [i, number] of [0, 60, 120, 180].entries()) {
        const cut = `crop=80:46:${i * 80}:0,scale=8:1:flags=area`
        const bars = await ffmpeg(
          '-i',
          join(folder, 'sprite-001.jpg'),
          '-vf',
          cut,
          '-pix_fmt',
          'gray',
          '-f',
          'rawvideo',
          '-',
        )
        expect([...bars].reduce((sum, bar, bit) => sum + (bar > 128 ? 2 ** bit : 0), 0)).toBe(number)
      }
    })

    test('is stored with types, and with headers that let caches keep it for ever', async () => {
      const types = {
        [nameOf(video.hls)]: 'application/vnd.apple.mpegurl',
        [nameOf(video.dash)]: 'application/dash+xml',
        '90p/init.mp4': 'video/mp4',
        '90p/00001.m4s': 'video/iso.segment',
        'audio/00001.m4s': 'audio/iso.segment',
        [nameOf(video.captions[0]!.key)]: 'text/vtt; charset=utf-8',
        'poster.jpg': 'image/jpeg',
      }
      for (const [name, type] of Object.entries(types)) {
        const object = await bench.store.head(`${video.prefix}/${name}`)
        expect([name, object?.type, object?.cacheControl]).toEqual([name, type, 'public, max-age=31536000, immutable'])
      }
    })
  })

  describe('of a source', () => {
    const of = async (source: string, options = {}) => {
      const video = await bench.transcode(source, { ...small, ...options })
      return { video, folder: await bench.export(video) }
    }
    const sizes = ({ renditions }: VideoPackage) => renditions.map(({ width, height }) => [width, height])

    test('that is upright has upright renditions, with square pixels', async () => {
      const { video, folder } = await of(await bench.clips.picture('upright.mp4', { size: '180x320' }))
      expect(sizes(video)).toEqual([
        [90, 160],
        [180, 320],
      ])
      expect((await play(join(folder, 'master.m3u8'))).every((one) => (one as any).sample_aspect_ratio === '1:1')).toBe(
        true,
      )
    })

    test('that is square, or odd, has no rendition above it', async () => {
      expect(sizes((await of(await bench.clips.picture('square.mp4', { size: '200x200' }))).video)).toEqual([
        [90, 90],
        [180, 180],
      ])
      const odd = await bench.clips.picture('odd.mkv', { size: '161x91', options: ['-pix_fmt', 'yuv444p'] })
      expect(sizes((await of(odd)).video)).toEqual([[160, 90]])
      const tiny = await bench.clips.picture('tiny.mp4', { size: '64x36' })
      expect(sizes((await of(tiny)).video)).toEqual([[64, 36]])
    })

    test('that a phone has turned is upright, whole or in chunks', async () => {
      const plain = await bench.clips.picture('corner.mp4', {
        seconds: 4,
        options: ['-vf', 'drawbox=w=iw:h=ih:c=black:t=fill,drawbox=w=iw/2:h=ih/2:c=white:t=fill'],
      })
      for (const [rotation, bright] of [
        [90, 1],
        [180, 3],
        [270, 2],
      ] as const) {
        const source = await turned(bench.clips, { plain, rotation })
        const { video, folder } = await of(source, { segment: '2s', chunk: '2s' })
        expect(sizes(video)[0]).toEqual(rotation === 180 ? [160, 90] : [90, 160])
        const input = ['-i', join(folder, '90p/index.m3u8'), '-frames:v', '1', '-vf', 'scale=2:2:flags=area']
        const corners = [...(await ffmpeg(...input, '-pix_fmt', 'gray', '-f', 'rawvideo', '-'))]
        expect(corners.indexOf(Math.max(...corners))).toBe(bright)
      }
    })

    test('with pixels that are not square shows them square', async () => {
      const wide = await bench.clips.picture('wide.mp4', { options: ['-vf', 'scale=180:144,setsar=16/11'] })
      expect(sizes((await of(wide)).video)).toEqual([
        [164, 90],
        [262, 144],
      ])
    })

    test('with frames at times of their own has them at a constant rate', async () => {
      const options = ['-vf', "select='not(mod(n,3))+gt(mod(n,20),16)'", '-fps_mode', 'vfr']
      const varying = await bench.clips.picture('varying.mp4', { seconds: 4, options })
      const { video, folder } = await of(varying, { segment: '4s' })
      expect(video).toMatchObject({
        source: { video: { variable: true } },
        renditions: [{ frameRate: 15 }, { frameRate: 15 }],
      })
      expect(video.duration).toBeCloseTo(4, 0)
      expect((await mediaOf(folder, '90p/index.m3u8')).segments[0]!.duration).toBeGreaterThan(3.5)
    })

    test('of pictures that are shown for seconds has the last of them to its end', async () => {
      const slides = await bench.clips.picture('slides.mp4', { rate: '1/7', seconds: 28 })
      expect((await of(slides)).video.duration).toBeCloseTo(28, 0)
    })

    test('without sound has no sound, and without a picture sound alone', async () => {
      const silent = await of(await bench.clips.picture('silent.mp4'))
      expect(silent.video.audio).toBeUndefined()
      expect((await play(join(silent.folder, 'master.m3u8'))).map((one) => one.codec_type)).toEqual(['video', 'video'])
      const tone = await of(await bench.clips.tone('tone.m4a', 5))
      expect(tone.video).toMatchObject({ renditions: [], audio: { codec: 'mp4a.40.2' } })
      expect(tone.video.duration).toBeCloseTo(5, 1)
      for (const manifest of ['master.m3u8', 'manifest.mpd']) {
        const kinds = (await play(join(tone.folder, manifest))).map((one) => one.codec_type)
        expect(new Set(kinds)).toEqual(new Set(['audio']))
      }
    })

    test('has sound and picture at the same time', async () => {
      const flash = "drawbox=w=iw:h=ih:c=black:t=fill,drawbox=w=iw:h=ih:c=white:t=fill:enable='between(t,2,2.5)'"
      const beep = "sine=1000:duration=4:sample_rate=44100,volume='between(t,2,2.5)':eval=frame"
      const source = await bench.clips.make('flash.mp4', () =>
        [
          ['-f', 'lavfi', '-i', `testsrc2=size=320x180:rate=30:duration=4,${flash}`, '-f', 'lavfi', '-i', beep],
          ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-c:a', 'aac'],
        ].flat(),
      )
      const { folder } = await of(source)
      const report = async (file: string, ...args: string[]) =>
        await ffmpeg('-i', file, ...args, '-f', 'null', '-').then(() => readFile(join(bench.folder, 'report'), 'utf8'))
      const log = `metadata=print:file=${join(bench.folder, 'report')}`
      const sound = await report(join(folder, 'audio/index.m3u8'), '-af', `silencedetect=n=-30dB:d=0.5,a${log}`)
      const silence = Number(/silence_end=([\d.]+)/.exec(sound)![1])
      const picture = await report(join(folder, '90p/index.m3u8'), '-vf', `blackdetect=d=0.5,${log}`)
      const dark = Number(/black_end=([\d.]+)/.exec(picture)![1])
      // The sound's own clock begins with the samples that prime the decoder.
      expect(Math.abs(silence - dark)).toBeLessThan(0.045)
    })

    test('with ten bits and HDR is shown on a plain screen', async () => {
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
      const { folder } = await of(await bench.clips.picture('hdr.mp4', { seconds: 1, options: bright }))
      const shown = 'stream=pix_fmt,color_transfer,color_primaries,color_space'
      expect((await ffprobe('-show_entries', shown, join(folder, '90p/index.m3u8'))).streams[0]).toEqual({
        pix_fmt: 'yuv420p',
        color_space: 'bt709',
        color_transfer: 'bt709',
        color_primaries: 'bt709',
      })
    })

    test('has the same renditions in AV1 when that is asked for', async () => {
      const source = await bench.clips.numbered('av1.mp4', { seconds: 4 })
      const { video, folder } = await of(source, { ladder: { sizes: [90], preset: 'ultrafast', av1: true } })
      expect(video.renditions.map(({ name, codec }) => [name, codec.slice(0, 4)])).toEqual([
        ['90p', 'avc1'],
        ['90p-av1', 'av01'],
      ])
      const frames = await frameNumbers(source)
      expect(await frameNumbers(join(folder, '90p-av1/index.m3u8'))).toEqual(frames)
      const segments = async (name: string) =>
        (await mediaOf(folder, `${name}/index.m3u8`)).segments.map((one) => one.duration)
      expect(await segments('90p-av1')).toEqual(await segments('90p'))
    })

    test('with captions that are no WebVTT is refused', async () => {
      await bench.store.put('bad.vtt', Buffer.from('1\n00:00:00,000 --> 00:00:01,000\nSubRip.\n'))
      const captions = [{ key: 'bad.vtt', language: 'en' }]
      const run = bench.transcode(await bench.clips.picture('silent.mp4'), small, { input: { captions, to: 'bad' } })
      await expect(run).rejects.toMatchObject({ code: 'PLIMSOLL_MEDIA_INVALID' })
    })
  })
})
