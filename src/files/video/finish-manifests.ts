import { readFile, stat, writeFile } from 'node:fs/promises'
import { join, posix } from 'node:path'
import type { EncodePlan } from './encode-plan.ts'
import { hlsName } from './pack.ts'
import { parseMaster, parseMedia } from './playlists.ts'

/**
 * Adds the sound alone as a variant, for connections that carry no more; the packager names it beside pictures only. DASH has it as it is.
 */
export async function addAudioVariant(folder: string, { audio, video }: EncodePlan): Promise<void> {
  if (audio === undefined || video === undefined) return
  const path = join(folder, hlsName)
  const text = await readFile(path, 'utf8')
  const uri = parseMaster(text).media.find((media) => media['TYPE'] === 'AUDIO')?.['URI']
  if (uri === undefined) return
  const { segments } = parseMedia(await readFile(join(folder, uri), 'utf8'))
  const inFolder = (name: string): string => join(folder, posix.dirname(uri), name)
  const rates = await Promise.all(
    segments.map(async (segment) => ({
      bits: 8 * (await stat(inFolder(segment.uri))).size,
      seconds: segment.duration,
    })),
  )
  const bits = rates.reduce((sum, one) => sum + one.bits, 0)
  const seconds = rates.reduce((sum, one) => sum + one.seconds, 0)
  // The last segment may be a few samples, of which a rate says nothing.
  const whole = rates.length > 1 ? rates.slice(0, -1) : rates
  const mean = Math.ceil(bits / seconds)
  const peak = Math.max(mean, Math.ceil(Math.max(...whole.map((one) => one.bits / one.seconds))))
  const facts = `BANDWIDTH=${peak},AVERAGE-BANDWIDTH=${mean},CODECS="mp4a.40.2",AUDIO="audio"`
  // It is the only sound, so it is the one that is heard.
  const heard = text.replace(/^(#EXT-X-MEDIA:TYPE=AUDIO,.*)DEFAULT=NO/m, '$1DEFAULT=YES')
  await writeFile(path, `${heard.trimEnd()}\n\n#EXT-X-STREAM-INF:${facts}\n${uri}\n`)
}
