import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Runs ffmpeg as a person would, and resolves to what it writes to its output. */
export async function ffmpeg(...args: string[]): Promise<Buffer> {
  const options = { encoding: 'buffer', maxBuffer: 64 * 1024 ** 2 } as const
  const { stdout } = await run('ffmpeg', ['-v', 'error', '-nostdin', '-y', ...args], options)
  return stdout
}

/** What ffprobe says, as JSON. */
export async function ffprobe(...args: string[]): Promise<any> {
  const { stdout } = await run('ffprobe', ['-v', 'error', '-of', 'json', ...args], { maxBuffer: 64 * 1024 ** 2 })
  return JSON.parse(stdout)
}

/** A picture that says its own number: eight bars, which are the bits of it. */
export function numbered(size: string, rate: string, seconds: number): string {
  const bars = "geq=lum='if(mod(floor(N/pow(2,floor(X/2))),2),235,16)':cb=128:cr=128"
  const scaled = `scale=${size.replace('x', ':')}:flags=neighbor,setsar=1`
  return `color=black:size=16x2:rate=${rate}:duration=${seconds},format=yuv444p,${bars},${scaled},format=yuv420p`
}

const tone = (seconds: number): string[] => ['-f', 'lavfi', '-i', `sine=440:sample_rate=44100:duration=${seconds}`]
const quick = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p']

/** Clips of a few seconds that are made in a folder, once each. */
export function clips(folder: () => string) {
  const made = new Map<string, Promise<string>>()
  const make = (name: string, args: (path: string) => readonly string[]): Promise<string> => {
    const path = join(folder(), name)
    const known = made.get(path) ?? ffmpeg(...args(path), path).then(() => path)
    made.set(path, known)
    return known
  }
  const source = (filter: string): string[] => ['-f', 'lavfi', '-i', filter]
  return {
    make,
    /** Numbered frames and a tone. */
    numbered: (name: string, { size = '320x180', rate = '30', seconds = 4, gop = 50 } = {}) =>
      make(name, () =>
        [
          [...source(numbered(size, rate, seconds)), ...tone(seconds), ...quick],
          ['-g', String(gop), '-bf', '2', '-preset', 'veryfast', '-c:a', 'aac', '-shortest'],
        ].flat(),
      ),
    /** A picture alone, of any size, with options of its output. */
    picture: (name: string, { size = '320x180', rate = '30', seconds = 2, options = [] as readonly string[] } = {}) =>
      make(name, () => [...source(`testsrc2=size=${size}:rate=${rate}:duration=${seconds}`), ...quick, ...options]),
    tone: (name: string, seconds = 3) => make(name, () => [...tone(seconds), '-c:a', 'aac']),
  }
}

/** A clip that says it has to be turned, clockwise. Both ways that ffmpeg has had of saying so count anticlockwise. */
export async function turned(
  made: ReturnType<typeof clips>,
  { plain, rotation }: { plain: string; rotation: number },
): Promise<string> {
  const degrees = String(360 - rotation)
  const copied = (name: string, before: string[], after: string[]): Promise<string> =>
    made.make(name, () => [...before, '-i', plain, '-c', 'copy', ...after])
  return copied(`turned-${rotation}.mp4`, ['-display_rotation', degrees], []).catch(() =>
    copied(`turned-by-tag-${rotation}.mp4`, [], ['-metadata:s:v:0', `rotate=${degrees}`]),
  )
}

/** The numbers that the frames of a video show. */
export async function frameNumbers(path: string | readonly string[], stream = 'v:0'): Promise<number[]> {
  const input = typeof path === 'string' ? ['-i', path] : path
  const filters = ['-fps_mode', 'passthrough', '-vf', 'scale=8:1:flags=area', '-pix_fmt', 'gray', '-f', 'rawvideo']
  const pixels = await ffmpeg(...input, '-map', `0:${stream}`, ...filters, '-')
  return Array.from({ length: pixels.length / 8 }, (_, frame) =>
    [...pixels.subarray(frame * 8, frame * 8 + 8)].reduce((sum, bar, bit) => sum + (bar > 128 ? 2 ** bit : 0), 0),
  )
}

/** The presentation times of the packets of a stream, in order, in ticks. */
export async function packetTimes(path: string, stream: string): Promise<number[]> {
  const { packets } = await ffprobe('-select_streams', stream, '-show_entries', 'packet=pts', path)
  return (packets as { pts: number }[]).map(({ pts }) => pts).sort((a, b) => a - b)
}
