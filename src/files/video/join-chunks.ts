import { execFile } from 'node:child_process'
import { constants, createReadStream, createWriteStream, open } from 'node:fs'
import { Socket } from 'node:net'
import type { Writable } from 'node:stream'
import { finished, pipeline } from 'node:stream/promises'
import { setTimeout } from 'node:timers/promises'
import { promisify } from 'node:util'
import { chunkFile, type VideoPlan } from './encode-plan.ts'
import type { Rendition } from './ladder.ts'
import { mediaError } from './media-errors.ts'
import { fragmentsOf } from './mp4-boxes.ts'
import type { WorkFiles } from './work-files.ts'

/** A rendition, as the packager reads it. */
export interface JoinedRendition {
  readonly rendition: Rendition
  /** A file that is whole, or a pipe. */
  readonly path: string
  /**
   * Writes the chunks to the pipe, each as soon as it is here. Resolves to false when the packager does not read them all, or has ended before
   * it did. Undefined for a file.
   */
  readonly fill?:
    | ((packager: { readonly hasEnded: () => boolean }, signal: AbortSignal) => Promise<boolean>)
    | undefined
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

/**
 * Each rendition as if it were one file, without encoding anything again: the fragments of its chunks are on one clock, so they come one after
 * the other. Where there are pipes with names, that is all but Windows, it is written while chunks are encoded. Resolves when there is
 * something to read.
 */
export async function joinChunks(
  { work, video }: JoinOptions,
  signal: AbortSignal,
): Promise<readonly JoinedRendition[]> {
  const joined: JoinedRendition[] = []
  const piped = video.chunks.length > 1 && process.platform !== 'win32'
  for (const rendition of video.renditions) {
    const options = { work, video, rendition }
    if (!piped) {
      joined.push({ rendition, path: await joinInFile(options, signal) })
      continue
    }
    const path = work.path(`${rendition.name}.pipe`)
    await promisify(execFile)('mkfifo', [path], { signal })
    await work.arrived(chunkFile(video.chunks[0]!, rendition), signal)
    joined.push({ rendition, path, fill: (packager, until) => fillPipe({ path, packager, ...options }, until) })
  }
  return joined
}

/** The path of a file that has all of a rendition. */
export async function joinInFile({ work, video, rendition }: RenditionOptions, signal: AbortSignal): Promise<string> {
  const [only, ...more] = video.chunks
  if (more.length === 0) return work.arrived(chunkFile(only!, rendition), signal)
  const path = work.path(`${rendition.name}.mp4`)
  await writeChunks(createWriteStream(path), { work, video, rendition }, signal)
  return path
}

interface PipeOptions extends RenditionOptions {
  readonly path: string
  readonly packager: { readonly hasEnded: () => boolean }
}

async function fillPipe(options: PipeOptions, signal: AbortSignal): Promise<boolean> {
  const fd = await openPipe(options, signal)
  if (fd === undefined) return false
  try {
    // By the event loop: threads of Node's would wait as long as nobody reads.
    await writeChunks(new Socket({ fd, readable: false, writable: true }), options, signal)
    return true
  } catch (error) {
    signal.throwIfAborted()
    if ((error as NodeJS.ErrnoException).code === 'EPIPE') return false
    throw error
  }
}

/** Opens a pipe once somebody reads from it: what is written before that is lost when it is closed. */
async function openPipe({ path, packager }: PipeOptions, signal: AbortSignal): Promise<number | undefined> {
  while (!packager.hasEnded()) {
    signal.throwIfAborted()
    try {
      return await promisify(open)(path, constants.O_WRONLY | constants.O_NONBLOCK)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENXIO') throw error
    }
    await setTimeout(openedMs, undefined, { signal }).catch(() => signal.throwIfAborted())
  }
  return undefined
}

async function writeChunks(
  to: Writable,
  { work, video, rendition }: RenditionOptions,
  signal: AbortSignal,
): Promise<void> {
  let broken: Error | undefined
  // It may break while nothing is written.
  to.on('error', (error) => (broken ??= error))
  try {
    for (const chunk of video.chunks) {
      const name = chunkFile(chunk, rendition)
      const path = await work.arrived(name, signal)
      const fragments = await fragmentsOf(path)
      if (fragments === undefined) throw mediaError('PLIMSOLL_MEDIA_TOOL_FAILED', `'${name}' is not in fragments`)
      // What describes the fragments is the same for all chunks.
      const start = chunk.index === 0 ? 0 : fragments.start
      const from = createReadStream(path, { start, end: fragments.end - 1, highWaterMark: readAtOnce })
      await pipeline(from, to, { end: false, signal })
    }
    to.end()
    await finished(to)
  } catch (error) {
    throw broken ?? error
  } finally {
    to.destroy()
  }
}
