import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { FileStore } from '../../../src/files/contract.ts'
import { parseMaster, parseMedia } from '../../../src/files/video/playlists.ts'
import type { VideoInput, VideoPackage } from '../../../src/files/video/types.ts'
import { hasFfmpeg } from '../../servers/ffmpeg.ts'
import { frameNumbers } from './clips.ts'
import { Workbench } from './workbench.ts'

const quick = { ladder: { sizes: [90], preset: 'ultrafast' }, segment: '2s', sprite: false } as const
const cue = (text: string): string => `WEBVTT\n\n00:00.500 --> 00:03.500\n${text}\n`

describe.skipIf(!hasFfmpeg())('captions that come late', () => {
  let bench: Workbench
  beforeAll(async () => {
    bench = await Workbench.open()
    await bench.keep('clip', await bench.clips.numbered('clip.mp4', { seconds: 4 }))
    for (const [language, text] of Object.entries({ en: 'Hello.', sv: 'Hej.', fi: 'Hei.' }))
      await bench.store.put(`${language}.vtt`, Buffer.from(cue(text)), { type: 'text/vtt' })
  })
  afterAll(() => bench.close())

  /** What came of a video with captions in these languages: what was said, and what was stored in which order. */
  async function transcode(to: string, ...languages: string[]) {
    const told: string[] = []
    const puts: string[] = []
    const store: FileStore = new Proxy(bench.store, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target)
        if (name === 'put') {
          return (...given: Parameters<FileStore['put']>) => {
            puts.push(given[0])
            return target.put(...given)
          }
        }
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    const captions = languages.map((language) => ({ key: `${language}.vtt`, language, label: `In ${language}` }))
    const input: VideoInput = { source: 'clip', to, captions }
    const video = await bench.transcodeIn(store, quick, input, { onProgress: (_, note) => void told.push(note) })
    return { video, told: new Set(told), puts }
  }
  const encodes = ({ told }: { readonly told: ReadonlySet<string> }): boolean => told.has('Encoding 1 renditions')
  const tracks = async ({ prefix }: VideoPackage): Promise<[string, string][]> => {
    const { objects } = await bench.store.list(`${prefix}/`)
    return objects.filter(({ key }) => /\/(?:90p|audio)\/|poster/.test(key)).map(({ key, etag }) => [key, etag])
  }
  /** The languages that both manifests name, with what the first segment of each says. */
  const shown = async (video: VideoPackage): Promise<string[]> => {
    const folder = await bench.export(video)
    const text = (name: string): Promise<string> => readFile(join(folder, name), 'utf8')
    const name = (key: string): string => key.slice(video.prefix.length + 1)
    const { media, variants } = parseMaster(await text(name(video.hls)))
    const subtitles = media.filter((one) => one['TYPE'] === 'SUBTITLES')
    for (const { attributes } of variants)
      expect(attributes['SUBTITLES']).toBe(subtitles.length > 0 ? 'captions' : undefined)
    const manifest = await text(name(video.dash))
    const beside = [...manifest.matchAll(/<BaseURL>(captions-[^<]+)<\/BaseURL>/g)].map(([, file]) => file!)
    expect(beside).toEqual(video.captions.map(({ key }) => name(key)))
    return Promise.all(
      subtitles.map(async (one, i) => {
        const { segments, ended } = parseMedia(await text(one['URI']!))
        expect(ended).toBe(true)
        const first = await text(join(dirname(one['URI']!), segments[0]!.uri))
        // Players would take them for pieces of a transport stream.
        expect(first).not.toContain('X-TIMESTAMP-MAP')
        const said = /In \w\w/.exec(one['NAME']!)![0]
        expect(await text(beside[i]!)).toBe(
          await readFile(bench.store.features.localPath!(`${one['LANGUAGE']}.vtt`), 'utf8'),
        )
        return `${said}: ${/^H\w+\.$/m.exec(first)![0]}`
      }),
    )
  }

  test('are added to what was encoded without any, one after the other, with the manifests last', async () => {
    const plain = await transcode('plain')
    expect([encodes(plain), plain.video.captions]).toEqual([true, []])
    const before = await tracks(plain.video)
    const en = await transcode('plain', 'en')
    expect(encodes(en)).toBe(false)
    expect(en.video).toMatchObject({ prefix: plain.video.prefix, renditions: plain.video.renditions })
    expect(await shown(en.video)).toEqual(['In en: Hello.'])
    const last = en.puts.filter((key) => key.startsWith(en.video.prefix)).slice(-3)
    expect(last.slice(0, 2).sort()).toEqual([en.video.dash, en.video.hls].sort())
    const both = await transcode('plain', 'sv', 'en')
    expect(encodes(both)).toBe(false)
    expect(await shown(both.video)).toEqual(['In sv: Hej.', 'In en: Hello.'])
    // Those in English are there already, and nothing that anybody has been shown is another one now.
    expect(both.puts.filter((key) => key.includes('captions-en'))).toEqual([])
    expect(await tracks(both.video)).toEqual(before)
    expect(await shown(plain.video)).toEqual([])
    expect(await shown(en.video)).toEqual(['In en: Hello.'])
    expect((await bench.store.head(both.video.hls))?.cacheControl).toBe('public, max-age=31536000, immutable')
    const again = await transcode('plain', 'sv', 'en')
    expect([again.video, again.puts]).toEqual([both.video, []])
    // The same as if they had come with the video.
    const frames = await frameNumbers(await bench.clips.numbered('clip.mp4', { seconds: 4 }))
    const folder = await bench.export(both.video)
    for (const key of [both.video.hls, both.video.dash]) {
      const manifest = join(folder, key.slice(both.video.prefix.length + 1))
      expect(await frameNumbers(['-allowed_extensions', 'ALL', '-i', manifest])).toEqual(frames)
    }
  })

  test('are added to what was encoded with others, or taken from it, until that is removed', async () => {
    const en = await transcode('other', 'en')
    expect([encodes(en), await shown(en.video)]).toEqual([true, ['In en: Hello.']])
    expect(await bench.keys(`${en.video.prefix}/`)).toHaveLength(en.video.objects + 2)
    for (const languages of [['fi'], []]) {
      const other = await transcode('other', ...languages)
      expect([encodes(other), other.video.prefix]).toEqual([false, en.video.prefix])
      expect(await shown(other.video)).toEqual(languages.map(() => 'In fi: Hei.'))
    }
    // Earlier versions had captions in the package itself, which is named after them.
    const before = JSON.stringify({ ...en.video, hls: `${en.video.prefix}/master.m3u8` })
    await bench.store.put(`${en.video.prefix}/package.json`, Buffer.from(before))
    const same = await transcode('other', 'en')
    expect([same.video, same.puts]).toEqual([JSON.parse(before), []])
    await bench.store.delete(await bench.keys(`${en.video.prefix}/`))
    expect(encodes(await transcode('other', 'sv'))).toBe(true)
  })

  test('are refused when they go on long after the video, which is kept; and before it is encoded when none may be so long', async () => {
    for (const [language, until] of [
      ['no', '00:02:00.000'],
      ['da', '07:00:00.000'],
    ] as const)
      await bench.store.put(`${language}.vtt`, Buffer.from(`WEBVTT\n\n00:00.000 --> ${until}\nHej.\n`))
    const refused = { code: 'PLIMSOLL_MEDIA_INVALID', message: expect.stringContaining('in line 3 that ends at') }
    await expect(transcode('refused', 'da')).rejects.toMatchObject(refused)
    expect(await bench.keys('refused/')).toEqual([])
    await expect(transcode('refused', 'no')).rejects.toMatchObject(refused)
    const en = await transcode('refused', 'en')
    expect([encodes(en), await shown(en.video)]).toEqual([false, ['In en: Hello.']])
  })
})
