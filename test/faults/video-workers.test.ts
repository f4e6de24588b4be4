import { execFileSync, fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest'
import { createApp } from '../../src/app/index.ts'
import { frameNumbers } from '../integration/video/clips.ts'
import { Workbench } from '../integration/video/workbench.ts'
import { createDatabase } from '../servers/database.ts'
import { hasFfmpeg } from '../servers/ffmpeg.ts'
import { programsIn } from './programs-in.ts'
import { relations } from './service.ts'
import { secret, sharedVideo } from './shared-video.ts'

const ready = hasFfmpeg() && inject('postgresUrl') !== ''

describe.skipIf(!ready)('a video that workers share', () => {
  let bench: Workbench
  beforeAll(async () => {
    bench = await Workbench.open()
  })
  afterAll(() => bench.close())

  /** An ffmpeg that notes the chunks that it is to encode, and does `first` before each. */
  async function program(name: string, first: string): Promise<{ readonly path: string; chunks(): readonly string[] }> {
    const [path, log] = [join(bench.folder, name), join(bench.folder, `${name}.log`)]
    const lines = [
      '#!/bin/sh',
      `case "$*" in *-filter_complex*[0-9][0-9][0-9][0-9][0-9]-90p.fmp4*) echo "$*" >> '${log}'; ${first};; esac`,
      `exec '${ffmpegOnPath()}' "$@"`,
    ]
    await writeFile(path, `${lines.join('\n')}\n`, { mode: 0o755 })
    const chunks = (): readonly string[] =>
      existsSync(log) ? (readFileSync(log, 'utf8').match(/\d{5}-90p\.fmp4/g) ?? []) : []
    return { path, chunks }
  }

  test('is whole although a worker that held a chunk of it was killed: another one encodes that', async () => {
    const database = await createDatabase()
    onTestFinished(() => database.drop())
    const storageUrl = `file:${join(bench.folder, 'store')}`
    const source = await bench.clips.numbered('shared.mp4', { seconds: 8 })
    await bench.keep('in', source)
    const gate = join(bench.folder, 'gate')
    const ours = await program('waiting-ffmpeg', `while [ ! -e '${gate}' ]; do sleep 0.05; done`)
    const video = sharedVideo({ ffmpeg: ours.path })
    const settings = { relations, secret, databaseUrl: database.url, storageUrl, jobs: [video] }
    await using app = await createApp({ ...settings, work: false })
    // One job at a time: that of the whole, which encodes the chunks that nobody else has, from the last one on.
    await using _worker = await app.jobs.work({ concurrency: 1 })
    const handle = await video.enqueue({ source: 'in', to: 'out' })
    await expect.poll(() => ours.chunks(), { timeout: 60_000 }).toHaveLength(1)

    const folder = join(bench.folder, 'killed')
    await mkdir(folder)
    const theirs = await program('hanging-ffmpeg', 'exec sleep 600')
    const child = start({ DATABASE_URL: database.url, STORAGE_URL: storageUrl, FFMPEG: theirs.path, FOLDER: folder })
    await expect.poll(() => theirs.chunks(), { timeout: 60_000 }).not.toEqual([])
    const held = new Set(theirs.chunks())
    expect(held).not.toContain(ours.chunks()[0])
    child.kill('SIGKILL')
    await once(child, 'exit')
    await expect.poll(() => programsIn(folder)).toEqual([])
    expect((await bench.keys('.videos/')).filter((key) => held.has(key.slice(key.lastIndexOf('/') + 1)))).toEqual([])

    await writeFile(gate, '')
    const { prefix, objects } = await handle.result({ timeout: '2m' })
    expect(ours.chunks()).toEqual(expect.arrayContaining([...held]))
    expect(new Set(ours.chunks()).size).toBe(4)
    expect(ours.chunks(), 'none was encoded twice').toHaveLength(4)
    expect(await bench.keys(`${prefix}/`)).toHaveLength(objects + 1)
    const shown = join(await bench.export({ prefix }), '90p/index.m3u8')
    expect(await frameNumbers(shown)).toEqual(await frameNumbers(source))
    await expect.poll(() => bench.keys('.videos/')).toEqual([])
  }, 180_000)

  test('is begun with by another worker before all of it is cut, and its sound is made meanwhile', async () => {
    const database = await createDatabase()
    onTestFinished(() => database.drop())
    await bench.keep('talk', await bench.clips.numbered('talk.mp4', { seconds: 8 }))
    const [path, begun] = [join(bench.folder, 'patient-ffmpeg'), join(bench.folder, 'begun')]
    const lines = [
      '#!/bin/sh',
      `patiently() { n=0; until [ -e '${begun}' ]; do n=$((n + 1)); [ $n -lt 600 ] || exit 1; sleep 0.05; done; }`,
      `case "$*" in *00000-90p.fmp4*) : > '${begun}';; *00001.nut*|*audio.mp4*) patiently;; esac`,
      `exec '${ffmpegOnPath()}' "$@"`,
    ]
    await writeFile(path, `${lines.join('\n')}\n`, { mode: 0o755 })
    const video = sharedVideo({ ffmpeg: path })
    const storageUrl = `file:${join(bench.folder, 'store')}`
    const settings = { relations, secret, databaseUrl: database.url, storageUrl, jobs: [video] }
    await using app = await createApp({ ...settings, work: false })
    await using _worker = await app.jobs.work({ concurrency: 2 })
    const handle = await video.enqueue({ source: 'talk', to: 'talks' })
    expect((await handle.result({ timeout: '2m' })).audio).toBeDefined()
    expect(await handle.status()).toMatchObject({ attempts: 1 })
  }, 180_000)
})

function ffmpegOnPath(): string {
  return execFileSync('which', ['ffmpeg'], { encoding: 'utf8' }).trim()
}

/** A worker in a process of its own; killed when the test ends. */
function start(env: Readonly<Record<string, string>>): ChildProcess {
  const path = fileURLToPath(new URL('video-worker.ts', import.meta.url))
  const child = fork(path, { execArgv: [], env: { ...process.env, ...env } })
  onTestFinished(() => void child.kill('SIGKILL'))
  return child
}
