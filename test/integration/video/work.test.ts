import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { FileStore } from '../../../src/files/contract.ts'
import type { EncodePlan } from '../../../src/files/video/encode-plan.ts'
import { sweepWork } from '../../../src/files/video/sweep-work.ts'
import { hasFfmpeg } from '../../servers/ffmpeg.ts'
import { Workbench } from './workbench.ts'

const quick = { ladder: { sizes: [90], preset: 'ultrafast' }, segment: '2s', chunk: '2s', sprite: false } as const

/** A store that lists one object at a time. */
function pageByPage(store: FileStore): Pick<FileStore, 'list' | 'get' | 'delete'> {
  return {
    list: (prefix, page) => store.list(prefix, { ...page, size: 1 }),
    get: (key, options) => store.get(key, options),
    delete: (keys) => store.delete(keys),
  }
}

describe.skipIf(!hasFfmpeg())('the files of an encode that has not ended', () => {
  let bench: Workbench
  beforeAll(async () => {
    bench = await Workbench.open()
  })
  afterAll(() => bench.close())

  /** A store that tells what is put, unless that is refused. */
  const watched = (refuses: (key: string) => boolean, puts: string[] = []): FileStore =>
    new Proxy(bench.store, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target)
        if (name !== 'put') return typeof value === 'function' ? value.bind(target) : value
        return async (...given: Parameters<FileStore['put']>) => {
          if (refuses(given[0])) throw new Error('refused')
          puts.push(given[0])
          return target.put(...given)
        }
      },
    })

  test.each(['', 'those that lie beside the package, as they did at first'])(
    'are where nobody is served, and gone on with, %s',
    async (beside) => {
      const to = beside === '' ? 'begun' : 'begun-before'
      await bench.keep('clip', await bench.clips.numbered('clip.mp4', { seconds: 4 }))
      const input = { source: 'clip', to }
      const first = bench.transcodeIn(
        watched((key) => key.startsWith(`${to}/`) && key.endsWith('/index.m3u8')),
        quick,
        input,
      )
      await expect(first).rejects.toThrow('refused')
      const begun = await bench.keys(`${to}/`)
      expect(begun).toContainEqual(expect.stringMatching(/\/90p\/00002\.m4s$/))
      expect(begun.filter((key) => /\.(?:m3u8|mpd|json)$/.test(key))).toEqual([])
      const work = await bench.keys('.videos/')
      const named = work.map((key) => key.slice(key.lastIndexOf('/') + 1))
      expect(named).toEqual(['00000-90p.fmp4', '00001-90p.fmp4', 'audio.mp4', 'plan.json'])
      if (beside !== '') {
        const { stream } = await bench.store.get(work.at(-1)!)
        const { id } = JSON.parse(Buffer.concat(await stream.toArray()).toString()) as EncodePlan
        for (const [i, key] of work.entries()) await bench.store.copy(key, `${to}/${id}/work/${named[i]}`)
        await bench.store.delete(work)
      }
      const puts: string[] = []
      const video = await bench.transcodeIn(
        watched(() => false, puts),
        quick,
        input,
      )
      const worked = puts.filter((key) => !key.startsWith(`${video.prefix}/`) || key.split('/').includes('work'))
      // It says that somebody goes on with it.
      expect(worked).toEqual([expect.stringMatching(/\/plan\.json$/)])
      expect(await bench.keys('.videos/')).toEqual([])
      expect(await bench.keys(`${video.prefix}/`)).toHaveLength(video.objects + 1)
    },
  )

  test('are gone on with at the rendition that failed: it alone is encoded again, and put', async () => {
    await bench.keep('renditions', await bench.clips.numbered('renditions.mp4', { size: '640x360', seconds: 4 }))
    const log = join(bench.folder, 'runs')
    const program = join(bench.folder, 'logged-ffmpeg')
    // Runs that write nothing may not write a log either.
    const noted = `case "$*" in *-filter_complex*[0-9]p.fmp4*) echo "$@" >> '${log}';; esac`
    await writeFile(program, `#!/bin/sh\n${noted}\nexec '${bench.tools.ffmpeg}' "$@"\n`, { mode: 0o755 })
    const encoded = async (): Promise<string[]> => {
      const lines = (await readFile(log, 'utf8')).split('\n')
      await rm(log)
      return [...new Set(lines.flatMap((line) => line.match(/\d{5}-\d+p\.fmp4/g) ?? []))].sort()
    }
    const options = { ...quick, ladder: { sizes: [90, 180, 360], preset: 'ultrafast' } } as const
    const input = { source: 'renditions', to: 'renditions' }
    const tools = { ...bench.tools, ffmpeg: program }
    // The last one of the last chunk: nothing else is missing then.
    const failed = '00001-360p.fmp4'
    const first = bench.transcodeIn(
      watched((key) => key.endsWith(`/${failed}`)),
      options,
      input,
      { tools },
    )
    await expect(first).rejects.toThrow('refused')
    const sizes = ['180p', '360p', '90p'].map((name) => `${name}.fmp4`)
    expect(await encoded()).toEqual(['00000', '00001'].flatMap((chunk) => sizes.map((name) => `${chunk}-${name}`)))
    expect((await bench.keys('.videos/')).filter((key) => key.endsWith('p.fmp4'))).toHaveLength(5)
    const puts: string[] = []
    const store = watched(() => false, puts)
    const { prefix, objects } = await bench.transcodeIn(store, options, input, { tools })
    expect(await encoded()).toEqual([failed])
    expect(puts.map((key) => key.slice(key.lastIndexOf('/') + 1)).filter((name) => /^\d{5}-/.test(name))).toEqual([
      failed,
    ])
    expect(await bench.keys(`${prefix}/`)).toHaveLength(objects + 1)
  })

  test.each([
    // A package is looked for at first, and again before one is stored.
    { fate: 'and a package that was there before stays', looks: 1, made: 'before' },
    { fate: 'and a package that somebody else has made meanwhile stays', looks: 2, made: 'meanwhile' },
    { fate: 'and with them the package that will not be whole', looks: 2, made: 'never' },
  ] as const)('go when it is given up, $fate', async (one) => {
    const { looks, made } = one
    const input = { source: 'clip', to: `given-up-${made}` }
    await bench.keep('clip', await bench.clips.numbered('clip.mp4', { seconds: 4 }))
    const makeOne = () => bench.transcodeIn(bench.store, quick, input)
    if (made === 'before') await makeOne()
    const givenUp = new AbortController()
    let looked = 0
    const store: FileStore = new Proxy(bench.store, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target)
        if (name !== 'get') return typeof value === 'function' ? value.bind(target) : value
        return async (...given: Parameters<FileStore['get']>) => {
          if (given[0].endsWith('/package.json') && ++looked === looks) {
            if (made === 'meanwhile') await makeOne()
            if (made === 'never')
              await target.put(given[0].replace('package.json', '90p/00001.m4s'), Buffer.from('cut'))
            givenUp.abort(new Error('given up'))
          }
          return target.get(...given)
        }
      },
    })
    const parts = { signal: givenUp.signal, discards: () => true }
    await expect(bench.transcodeIn(store, quick, input, parts)).rejects.toThrow('given up')
    expect(await bench.keys('.videos/')).toEqual([])
    const kept = await bench.keys(`${input.to}/`)
    if (made === 'never') return expect(kept).toEqual([])
    const { prefix, objects } = await makeOne()
    expect(kept).toEqual(await bench.keys(`${prefix}/`))
    expect(kept).toHaveLength(objects + 1)
  })

  test('are removed when nothing was added to them for long', async () => {
    const put = async (name: string): Promise<number> => {
      await bench.store.put(`.videos/${name}`, Buffer.from(name))
      return (await bench.store.head(`.videos/${name}`))!.modifiedAt
    }
    let old = 0
    for (const name of ['a/1', 'a/2', 'b/1', 'c/1']) old = await put(name)
    while ((await put('b/2')) <= old);
    const store = pageByPage(bench.store)
    expect(await sweepWork(store, { before: 0 })).toBe(0)
    expect(await sweepWork(store, { before: old + 1 })).toBe(2)
    expect(await bench.keys('.videos/')).toEqual(['.videos/b/1', '.videos/b/2'])
  })

  test('are removed with what was stored of their package, unless it has a manifest', async () => {
    const input = { source: 'clip', to: 'swept' }
    await sweepWork(bench.store, { before: Infinity })
    await bench.keep('clip', await bench.clips.numbered('clip.mp4', { seconds: 4 }))
    const first = bench.transcodeIn(
      watched((key) => key.endsWith('/master.m3u8')),
      quick,
      input,
    )
    await expect(first).rejects.toThrow('refused')
    expect(await bench.keys('swept/')).not.toEqual([])
    expect(await sweepWork(pageByPage(bench.store), { before: Infinity })).toBe(1)
    expect([await bench.keys('.videos/'), await bench.keys('swept/')]).toEqual([[], []])

    // Another package may be found by what lies beside one that was begun, and somebody may have gone on with one.
    const put = async (key: string, value: unknown = {}): Promise<number> => {
      await bench.store.put(key, Buffer.from(JSON.stringify(value)))
      return (await bench.store.head(key))!.modifiedAt
    }
    await put('given/1/90p/00001.m4s')
    await put('given/1/tracks.json')
    await put('.videos/a/plan.json', { prefix: 'given/1' })
    const old = await put('.videos/b/plan.json', { prefix: 'given/2' })
    while ((await put('given/2/90p/00001.m4s')) <= old);
    expect(await sweepWork(pageByPage(bench.store), { before: old + 1 })).toBe(2)
    expect(await bench.keys('given/')).toEqual(['given/1/tracks.json', 'given/2/90p/00001.m4s'])

    const { prefix } = await bench.transcodeIn(bench.store, quick, input)
    const whole = await bench.keys('swept/')
    await put('.videos/a/plan.json', { prefix })
    expect(await sweepWork(pageByPage(bench.store), { before: Infinity })).toBe(1)
    expect(await bench.keys('swept/')).toEqual(whole)
  })
})
