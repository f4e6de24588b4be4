import { createReadStream } from 'node:fs'
import { copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { diskStore } from '../../../src/files/drivers/disk/disk-store.ts'
import type { FileStore } from '../../../src/files/contract.ts'
import { findTools, type VideoTools } from '../../../src/files/video/tools.ts'
import type { TranscodeParts } from '../../../src/files/video/transcode-parts.ts'
import { transcode } from '../../../src/files/video/transcode.ts'
import type { VideoInput, VideoOptions, VideoPackage } from '../../../src/files/video/types.ts'
import { videoSettings } from '../../../src/files/video/video-settings.ts'
import { clips } from './clips.ts'

/** A store, a folder and the programs, for tests of videos. */
export class Workbench {
  readonly folder: string
  readonly store: FileStore
  readonly tools: VideoTools
  readonly clips: ReturnType<typeof clips>

  static async open(): Promise<Workbench> {
    return new Workbench(await mkdtemp(join(tmpdir(), 'plimsoll-video-test-')), await findTools())
  }

  private constructor(folder: string, tools: VideoTools) {
    this.folder = folder
    this.store = diskStore({ folder: join(folder, 'store') })
    this.tools = tools
    this.clips = clips(() => folder)
  }

  /** Stores a file of the disk. */
  async keep(key: string, path: string): Promise<void> {
    await this.store.put(key, createReadStream(path))
  }

  /** Transcodes a file: small, quick, and to `out`, unless the options say otherwise. */
  async transcode(
    path: string,
    options: VideoOptions = {},
    { input = {}, ...parts }: Partial<TranscodeParts> & { input?: Partial<VideoInput> } = {},
  ): Promise<VideoPackage> {
    await this.store.put('in', createReadStream(path))
    return this.transcodeIn(this.store, options, { source: 'in', to: 'out', ...input }, parts)
  }

  /** Transcodes what is in a store already. */
  transcodeIn(
    store: FileStore,
    options: VideoOptions,
    input: VideoInput,
    parts: Partial<TranscodeParts> = {},
  ): Promise<VideoPackage> {
    const settings = videoSettings({ ladder: { preset: 'ultrafast', ...options.ladder }, ...options })
    return transcode(input, { store, tools: this.tools, settings, ...parts })
  }

  /** Copies a package out of the store, as a web server would show it. Resolves to its folder. */
  async export(video: Pick<VideoPackage, 'prefix'>, to = 'served'): Promise<string> {
    const folder = join(this.folder, to, video.prefix)
    for (const key of await this.keys(`${video.prefix}/`)) {
      const path = join(folder, key.slice(video.prefix.length))
      await mkdir(dirname(path), { recursive: true })
      await copyFile(this.store.features.localPath!(key), path)
    }
    return folder
  }

  async keys(prefix: string): Promise<string[]> {
    return (await this.store.list(prefix)).objects.map(({ key }) => key)
  }

  async close(): Promise<void> {
    await this.store.close()
    await rm(this.folder, { recursive: true, force: true })
  }
}
