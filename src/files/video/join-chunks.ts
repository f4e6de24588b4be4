import { constants, createReadStream, createWriteStream, open } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { Socket } from 'node:net'
import type { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import { chunkFile, type VideoPlan } from './encode-plan.ts'
import type { Rendition } from './ladder.ts'
import { mediaError } from './media-errors.ts'
import { fragmentsOf, shifted } from './mp4-boxes.ts'
import { pause } from './pause.ts'
import { runTool } from './run-tool.ts'
import type { WorkFiles } from './work-files.ts'

/** A rendition, as the packager reads it. */
export interface JoinedRendition {
  readonly rendition: Rendition
  /** A file that is whole, or a pipe. */
  readonly path: string
  /** Writes the chunks to the pipe, each as soon as it is here. Resolves to false when nobody reads them any more. Undefined for a file. */
  readonly fill?: ((signal: AbortSignal) => Promise<boolean>) | undefined
}

export interface JoinOptions {
  readonly work: WorkFiles
  readonly video: VideoPlan
}

interface RenditionOptions extends JoinOptions {
  readonly rendition: Rendition
}

/** How much of a chunk is read at a time, in bytes. */
const readAtOnce = 256 * 1024
/** How often it is looked whether somebody has opened a pipe, in ms. */
const openedMs = 20
const pipeBounds = { timeoutMs: 10_000, memoryBytes: 1024 ** 3, fileBytes: 0 } as const

/**
 * Each rendition as if it were one file, without encoding anything again: the fragments of its chunks are on one clock, so they come one after
 * the other. Where there are pipes with names, it is written while chunks are encoded. Resolves when there is something to read.
 */
export async function joinChunks(
  { work, video }: JoinOptions,
  signal: AbortSignal,
): Promise<readonly JoinedRendition[]> {
  const named = video.renditions.map((rendition) => ({ rendition, path: work.path(`${rendition.name}.pipe`) }))
  const paths = named.map(({ path }) => path)
  const joined: JoinedRendition[] = []
  const piped = video.chunks.length > 1 && (await makePipes(paths, work.folder, signal))
  for (const { rendition, path } of named) {
    const options = { work, video, rendition }
    if (piped) {
      await work.arrived(chunkFile(video.chunks[0]!, rendition), signal)
      joined.push({ rendition, path, fill: (until) => fillPipe(path, options, until) })
    } else joined.push({ rendition, path: await joinInFile(options, signal) })
  }
  return joined
}

/** The path of a file that has all of a rendition, once it is here. */
export async function joinInFile(options: RenditionOptions, signal: AbortSignal): Promise<string> {
  const { work, video, rendition } = options
  const [only, ...more] = video.chunks
  if (more.length === 0) return work.arrived(chunkFile(only!, rendition), signal)
  const path = work.path(`${rendition.name}.mp4`)
  await writeTo(createWriteStream(path), options, signal)
  return path
}

/** Resolves to false where there are none: on Windows, and in folders of some other file systems. */
async function makePipes(paths: readonly string[], folder: string, signal: AbortSignal): Promise<boolean> {
  if (process.platform === 'win32') return false
  return runTool({ program: 'mkfifo', args: [...paths], folder, signal, ...pipeBounds }).then(
    () => true,
    () => {
      signal.throwIfAborted()
      return false
    },
  )
}

async function fillPipe(path: string, options: RenditionOptions, signal: AbortSignal): Promise<boolean> {
  const fd = await openPipe(path, signal)
  try {
    // By the event loop: threads of Node's would wait as long as nobody reads.
    await writeTo(new Socket({ fd, readable: false, writable: true }), options, signal)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EPIPE') return false
    throw error
  }
}

/** Opens a pipe once somebody reads from it: what is written before that is lost when it is closed. */
async function openPipe(path: string, signal: AbortSignal): Promise<number> {
  for (;;) {
    signal.throwIfAborted()
    try {
      return await promisify(open)(path, constants.O_WRONLY | constants.O_NONBLOCK)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENXIO') throw error
    }
    await pause(openedMs, signal)
  }
}

async function writeTo(to: Writable, options: RenditionOptions, signal: AbortSignal): Promise<void> {
  try {
    await pipeline(joinedBytes(options, signal), to, { signal })
  } catch (error) {
    signal.throwIfAborted()
    throw error
  }
}

/** What describes the fragments, which is the same for all chunks, and those of each. */
async function* joinedBytes({ work, video, rendition }: RenditionOptions, signal: AbortSignal): AsyncGenerator<Buffer> {
  let delay: number | undefined
  for (const chunk of video.chunks) {
    const name = chunkFile(chunk, rendition)
    const path = await work.arrived(name, signal)
    const fragments = await fragmentsOf(path)
    if (fragments === undefined) throw mediaError('PLIMSOLL_MEDIA_TOOL_FAILED', `'${name}' is not in fragments`)
    const { start, end } = fragments
    delay ??= fragments.delay
    // Of one or two frames an encoder stores none in another order; a first chunk has more.
    if (fragments.delay !== delay) yield shifted((await readFile(path)).subarray(start, end), delay - fragments.delay)
    else
      yield* createReadStream(path, { start: chunk.index === 0 ? 0 : start, end: end - 1, highWaterMark: readAtOnce })
  }
}
