import { describe, expect, test } from 'vitest'
import { checkCues } from '../../../../src/files/video/caption-cues.ts'
import { checkCaptions, checkWebVtt } from '../../../../src/files/video/captions.ts'
import { mediaInput } from '../../../../src/files/video/media-input.ts'
import { toMediaError } from '../../../../src/files/video/media-errors.ts'
import { spriteIndex } from '../../../../src/files/video/pictures.ts'
import { parseMaster, parseMedia } from '../../../../src/files/video/playlists.ts'
import { ToolFailure } from '../../../../src/files/video/run-tool.ts'
import { packageType } from '../../../../src/files/video/store-package.ts'
import { videoSettings } from '../../../../src/files/video/video-settings.ts'

describe('captions', () => {
  const check = (text: string) => () => checkWebVtt(Buffer.from(text), 'en.vtt')

  test('are WebVTT, with a mark of order or styles or none', () => {
    for (const text of [
      'WEBVTT',
      '\uFEFFWEBVTT\n',
      'WEBVTT - a title\r\n\r\nSTYLE\n::cue {}\n\n00:01.000 --> 01:00:02.500 line:0\nHi\n',
    ])
      expect(check(text)).not.toThrow()
  })

  test('are refused as SubRip, as other bytes, and with times that are none', () => {
    for (const text of ['', '1\n00:00:00,000 --> 00:00:01,000\nHi\n', 'WEBVTTX', 'WEBVTT\n\n00:01 --> 00:02\nHi\n'])
      expect(check(text)).toThrow(expect.objectContaining({ code: 'PLIMSOLL_MEDIA_INVALID' }))
    const bytes = Uint8Array.from([...Buffer.from('WEBVTT\n'), 0xff, 0xfe])
    expect(() => checkWebVtt(bytes, 'x')).toThrow(expect.objectContaining({ code: 'PLIMSOLL_MEDIA_INVALID' }))
  })

  describe('in a video of two minutes', () => {
    const checkIn = (text: string) => () => checkCues(text, { subject: 'en.vtt', endS: 120, segmentS: 2 })
    const cue = (until: string, text = 'Hi'): string => `00:00.000 --> ${until}\n${text}\n\n`

    test('may end a minute after it, and no later', () => {
      for (const until of ['00:01.000', '03:00.000', '00:03:00.000'])
        expect(checkIn(`WEBVTT\n\n${cue(until)}`)).not.toThrow()
      for (const until of ['03:00.001', '01:00:00.000', '99999:00:00.000'])
        expect(checkIn(`WEBVTT\r\n\r\n1\r\n${cue(until)}`)).toThrow(
          expect.objectContaining({
            code: 'PLIMSOLL_MEDIA_INVALID',
            message: expect.stringMatching(/in line 4 that ends at [\d.]+ s, more than a minute after .* at 120 s/),
          }),
        )
    })

    test('may not make a hundred times as much of themselves', () => {
      const large = 'x'.repeat(1024 * 1024)
      const ordinary = `WEBVTT\n\n${cue('00:02.000', large).repeat(9)}`
      expect(checkIn(ordinary)).not.toThrow()
      const long = `WEBVTT\n\n${cue('02:00.000', large)}`
      const styled = `WEBVTT\n\nSTYLE\n::cue {}\n/* ${large} */\n\n${cue('00:01.000')}${cue('02:00.000')}`
      for (const text of [long, styled])
        expect(checkIn(text)).toThrow(expect.objectContaining({ code: 'PLIMSOLL_MEDIA_TOO_LARGE' }))
    })
  })

  test('have a language each, and a label that manifests can quote', () => {
    expect(() =>
      checkCaptions([
        { key: 'a', language: 'en' },
        { key: 'b', language: 'pt-BR', label: 'Português' },
      ]),
    ).not.toThrow()
    const bad = [
      [{ key: 'a', language: '../x' }],
      [
        { key: 'a', language: 'en' },
        { key: 'b', language: 'EN' },
      ],
      [{ key: 'a', language: 'en', label: 'a "quote"' }],
      [{ key: 'a', language: 'en', label: 'in=/etc/passwd,stream=text' }],
    ]
    for (const captions of bad)
      expect(() => checkCaptions(captions)).toThrow(expect.objectContaining({ code: 'PLIMSOLL_OPTION_INVALID' }))
  })
})

describe('playlists', () => {
  test('are read with their attributes, quotes and commas', () => {
    const { variants, media, iframes } = parseMaster(
      '#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,URI="a.m3u8",NAME="x,y"\n#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS="avc1.1,mp4a.2"\nv.m3u8\n#EXT-X-I-FRAME-STREAM-INF:URI="i.m3u8"\n',
    )
    expect(variants).toEqual([{ attributes: { BANDWIDTH: '1', CODECS: 'avc1.1,mp4a.2' }, uri: 'v.m3u8' }])
    expect(media).toEqual([{ TYPE: 'AUDIO', URI: 'a.m3u8', NAME: 'x,y' }])
    expect(iframes).toEqual([{ URI: 'i.m3u8' }])
    const list = '#EXTM3U\r\n#EXT-X-MAP:URI="init.mp4"\r\n#EXTINF:4.004,\r\n1.m4s\r\n#EXTINF:2,\r\n2.m4s\r\n'
    expect(parseMedia(list)).toEqual({
      init: 'init.mp4',
      segments: [
        { uri: '1.m4s', duration: 4.004 },
        { uri: '2.m4s', duration: 2 },
      ],
      ended: false,
    })
  })

  test('and segments have their types', () => {
    expect(['a/1.m4s', 'audio/1.m4s', 'audio/init.mp4', 'x.vtt', 'odd'].map(packageType)).toEqual([
      'video/iso.segment',
      'audio/iso.segment',
      'audio/mp4',
      'text/vtt; charset=utf-8',
      'application/octet-stream',
    ])
  })
})

test('the index of a sprite goes on to the next row, and to the next sheet', () => {
  const index = spriteIndex({
    images: ['s-1.jpg', 's-2.jpg'],
    cell: { width: 160, height: 90 },
    wide: 2,
    tall: 2,
    count: 5,
    interval: 4,
    duration: 3617,
  })
  expect(
    index
      .split('\n\n')
      .slice(1)
      .map((cue) => cue.trim().split('\n')[1]),
  ).toEqual([
    's-1.jpg#xywh=0,0,160,90',
    's-1.jpg#xywh=160,0,160,90',
    's-1.jpg#xywh=0,90,160,90',
    's-1.jpg#xywh=160,90,160,90',
    's-2.jpg#xywh=0,0,160,90',
  ])
})

describe('what a program says', () => {
  const error = (stderr: string, killedBy: NodeJS.Signals | null = null) =>
    toMediaError(new ToolFailure('ffmpeg', { exitCode: killedBy === null ? 1 : null, killedBy, stderr }), {
      task: 'encode it',
      subject: 'uploads/a',
      folder: '/srv/secret/work-1',
    }) as Error & { code: string }

  test('becomes an error that says whose fault it is', () => {
    const codes = [
      error('[mov @ 0x55d0] moov atom not found\nin: Invalid data found when processing input').code,
      error("[hls] Protocol 'http' not on whitelist 'file'!").code,
      error('av_interleaved_write_frame(): No space left on device').code,
      error('Cannot close file v/00001.m4s, possibly file permission issue or running out of disk space.').code,
      error('x264 [error]: malloc of size 3110528 failed').code,
      error('', 'SIGXFSZ').code,
      error('', 'SIGSEGV').code,
      error('[mjpeg @ 0x1] [IMGUTILS @ 0x2] Picture size 16000x16000 exceeds specified max pixel count 36000000, see')
        .code,
    ]
    expect(codes).toEqual([
      'PLIMSOLL_MEDIA_INVALID',
      'PLIMSOLL_MEDIA_INVALID',
      'PLIMSOLL_STORAGE_FULL',
      'PLIMSOLL_STORAGE_FULL',
      'PLIMSOLL_MEDIA_TOO_LARGE',
      'PLIMSOLL_MEDIA_TOO_LARGE',
      'PLIMSOLL_MEDIA_TOOL_FAILED',
      'PLIMSOLL_MEDIA_TOO_LARGE',
    ])
  })

  test('is told without paths and addresses of memory', () => {
    const { message } = error(
      '[mov @ 0x55d0a] file:/srv/secret/work-1/source: Invalid data found\n/usr/lib/x/y.so: bad',
    )
    expect(message).not.toMatch(/srv|secret|usr|0x55/)
    expect(message).toContain('Invalid data found')
  })
})

test('a source is opened as one local file of a known format, whatever its name', () => {
  const args = mediaInput('-i http://x', { maxPixels: 7 })
  expect(args.slice(0, 2)).toEqual(['-protocol_whitelist', 'file'])
  expect(args.slice(-4)).toEqual(['-max_pixels', '7', '-i', 'file:-i http://x'])
  const formats = args[args.indexOf('-format_whitelist') + 1]!.split(',')
  for (const naming of ['hls', 'dash', 'concat', 'sdp', 'rtsp', 'image2', 'lavfi', 'mpjpeg'])
    expect(formats).not.toContain(naming)
})

describe('the options of a video', () => {
  test('have their defaults', () => {
    expect(videoSettings()).toMatchObject({ segmentS: 2, chunkS: undefined, quality: 22, audioRate: 128 })
    expect(videoSettings({ segment: '6s', chunk: '10s' })).toMatchObject({ segmentS: 6, chunkS: 12 })
    expect(videoSettings({ poster: false, sprite: false })).toMatchObject({ poster: undefined, sprite: undefined })
  })

  test('are refused when they are none, by name', () => {
    const bad = {
      'ladder.sizes': { ladder: { sizes: [] } },
      'ladder.quality': { ladder: { quality: 52 } },
      'ladder.preset': { ladder: { preset: 'placebo' as 'slow' } },
      segment: { segment: '3s' },
      'sprite.interval': { sprite: { interval: '3s' } },
      'poster.at': { poster: { at: '110%' } },
      'limits.pixels': { limits: { pixels: 0 } },
      audioRate: { audioRate: 1.5 },
    } as const
    for (const [option, options] of Object.entries(bad)) {
      expect(() => videoSettings(options)).toThrow(
        expect.objectContaining({ code: 'PLIMSOLL_OPTION_INVALID', details: { option } }),
      )
    }
  })
})
