import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fragmentsOf, isWholeMp4 } from '../../../src/files/video/mp4-boxes.ts'
import { hasFfmpeg } from '../../servers/ffmpeg.ts'
import { ffmpeg, frameNumbers } from './clips.ts'
import { Workbench } from './workbench.ts'

const quick = { ladder: { sizes: [180, 360], preset: 'ultrafast' }, segment: '2s', chunk: '2s', sprite: false } as const
const shown = /\.(?:m3u8|mpd|json)$/

describe.skipIf(!hasFfmpeg())('a video whose chunks are packaged as they come', () => {
  let bench: Workbench
  beforeAll(async () => {
    bench = await Workbench.open()
    // The packager reads 64 KB at a time: segments are to have more than that.
    const plain = await bench.clips.numbered('plain.mp4', { size: '640x360', seconds: 8 })
    const noise = ['-vf', 'noise=alls=30:allf=t', '-c:v', 'libx264', '-preset', 'ultrafast', '-c:a', 'copy']
    await bench.keep('clip', await bench.clips.make('clip.mp4', () => ['-i', plain, ...noise]))
  })
  afterAll(() => bench.close())

  /** A program that does something before it becomes another one, or instead. */
  async function instead(name: string, script: string): Promise<string> {
    const path = join(bench.folder, name)
    await writeFile(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 })
    return path
  }

  /** Begins an encode whose last chunk waits. */
  async function begin(to: string) {
    const gate = join(bench.folder, `${to}.gate`)
    const waits = `case "$*" in *-filter_complex*00003-*) until [ -e '${gate}' ]; do sleep 0.05; done;; esac`
    const tools = {
      ...bench.tools,
      ffmpeg: await instead(`${to}-ffmpeg`, `${waits}\nexec '${bench.tools.ffmpeg}' "$@"`),
    }
    const running = bench.transcodeIn(bench.store, quick, { source: 'clip', to }, { tools })
    // Whoever waits for what it does before its end hears of that first.
    running.catch(() => {})
    const keys = () => bench.keys(`${to}/`)
    await expect.poll(keys).toContainEqual(expect.stringMatching(/\/360p\/00001\.m4s$/))
    return { running, keys, open: () => writeFile(gate, '') }
  }

  test('has segments in the storage before the last chunk is encoded, and no manifest', async () => {
    const { running, keys, open } = await begin('streamed')
    const early = await keys()
    expect(early.filter((key) => shown.test(key))).toEqual([])
    await open()
    const video = await running
    expect(await keys()).toEqual(expect.arrayContaining(early))
    expect(await keys()).toHaveLength(video.objects + 1)
    const numbers = await frameNumbers(join(bench.folder, 'clip.mp4'))
    for (const name of ['180p', '360p'])
      expect(await frameNumbers(join(await bench.export(video), name, 'index.m3u8'))).toEqual(numbers)
  })

  test('has its own segments, whatever another attempt that has begun since has stored', async () => {
    const { running, keys, open } = await begin('contended')
    const [prefix] = /^contended\/\w+/.exec((await keys())[0]!)!
    const work = (await bench.keys('.videos/')).find((key) => key.endsWith('/plan.json'))!
    const { stream } = await bench.store.get(work)
    const plan = JSON.parse(Buffer.concat(await stream.toArray()).toString()) as object
    await bench.store.put(work, Buffer.from(JSON.stringify({ ...plan, attempt: 'another' })))
    await bench.store.put(`${prefix}/360p/00001.m4s`, Buffer.from('of another attempt'))
    await open()
    const video = await running
    const numbers = await frameNumbers(join(bench.folder, 'clip.mp4'))
    expect(await frameNumbers(join(await bench.export(video), '360p/index.m3u8'))).toEqual(numbers)
  })

  const failures = {
    'reads nothing': ['exit 0', { code: 'PLIMSOLL_MEDIA_TOOL_FAILED' }],
    'reads a little': [
      `for one in "$@"; do case "$one" in in=*.pipe,*) one=\${one#in=}; head -c 1000 "\${one%%,*}" >/dev/null;; esac; done`,
      { code: 'PLIMSOLL_MEDIA_TOOL_FAILED' },
    ],
    'finds no room': ['sleep 1; echo "No space left on device" >&2; exit 1', { code: 'PLIMSOLL_STORAGE_FULL' }],
    'comes to no end': ['exec sleep 600', { code: 'PLIMSOLL_MEDIA_TIMEOUT' }],
  } as const
  test.each(Object.entries(failures))('fails when the packager %s', async (what, [script, error]) => {
    const tools = { ...bench.tools, packager: await instead(`${what.replaceAll(' ', '-')}-packager`, script) }
    const options = { ...quick, limits: { time: '5s' } } as const
    await expect(
      bench.transcodeIn(bench.store, options, { source: 'clip', to: 'failed' }, { tools }),
    ).rejects.toMatchObject(error)
    expect((await bench.keys('failed/')).filter((key) => shown.test(key))).toEqual([])
  })

  test('has chunks whose fragments are found, unless they were cut off', async () => {
    const path = join(bench.folder, 'fragments.mp4')
    const made = async (...flags: string[]): Promise<Buffer> => {
      await ffmpeg('-y', '-i', join(bench.folder, 'clip.mp4'), '-an', '-c', 'copy', ...flags, '-f', 'mp4', path)
      return readFile(path)
    }
    await made()
    expect([await isWholeMp4(path), await fragmentsOf(path)]).toEqual([true, undefined])
    const bytes = await made('-movflags', '+frag_keyframe+empty_moov')
    const { start, end } = (await fragmentsOf(path))!
    expect([bytes.toString('latin1', start + 4, start + 8), bytes.toString('latin1', end + 4, end + 8)]).toEqual([
      'moof',
      'mfra',
    ])
    // Cut off between two boxes, and within one.
    for (const length of [end, end - 1, bytes.length - 1, start + 4]) {
      await writeFile(path, bytes.subarray(0, length))
      expect([await isWholeMp4(path), await fragmentsOf(path)], String(length)).toEqual([false, undefined])
    }
  })
})
