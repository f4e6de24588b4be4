// The process of images: it decodes what somebody else has made, one at a time, and may die of it without harm to anybody.
import { writeFileSync } from 'node:fs'
import type { Sharp, SharpOptions } from 'sharp'
import type sharpLibrary from 'sharp'
import { isPlimsollError } from '../../core/errors.ts'
import { importPeer } from '../../core/peer.ts'
import type { ImageErrorCode } from './image-error.ts'
import type { ImageFacts, ImageNews, ImageOrder } from './image-messages.ts'
import type { PlainVariant } from './image-variant.ts'

/** What images may be; all other loaders of libvips are off. */
const loaders = ['Jpeg', 'Png', 'Webp', 'Nsgif', 'Heif', 'Tiff'].map((name) => `VipsForeignLoad${name}File`)
const svgLoader = 'VipsForeignLoadSvgFile'
/** How often this process looks at what it holds. */
const watchMs = 20

class Refusal extends Error {
  readonly code: ImageErrorCode

  constructor(code: ImageErrorCode, message: string) {
    super(message)
    this.code = code
  }
}

function tell(news: ImageNews, told?: () => void): void {
  if (process.connected) process.send!(news, undefined, undefined, () => told?.())
}

async function loadLibrary(): Promise<typeof sharpLibrary> {
  const { default: sharp } = await importPeer<{ default: typeof sharpLibrary }>('sharp', 'Making images')
  sharp.cache(false)
  sharp.concurrency(1)
  sharp.block({ operation: ['VipsForeignLoad'] })
  sharp.unblock({ operation: loaders })
  return sharp
}

async function make(sharp: typeof sharpLibrary, order: ImageOrder): Promise<ImageFacts> {
  const { input, outputs, maxPixels } = order
  const options: SharpOptions = { limitInputPixels: maxPixels, failOn: 'error', unlimited: false }
  const facts = await read(sharp(input, options))
  if (facts.width * facts.height > maxPixels) {
    const size = `${facts.width} × ${facts.height} pixels`
    throw new Refusal('PLIMSOLL_IMAGE_TOO_LARGE', `The image has ${size}, and may have ${maxPixels} in all.`)
  }
  for (const [index, { file, variant }] of outputs.entries()) {
    const animated = variant.animation === 'keep' && facts.frames > 1
    const frame = animated ? facts.height : undefined
    if (animated && facts.width * facts.height * facts.frames > maxPixels) {
      const size = `${facts.frames} frames of ${facts.width} × ${facts.height} pixels`
      throw new Refusal('PLIMSOLL_IMAGE_TOO_LARGE', `The image has ${size}, and may have ${maxPixels} pixels in all.`)
    }
    const { width, height, pageHeight } = await encode(sharp(input, { ...options, animated }), variant).toFile(file)
    tell({ type: 'made', index, width, height: frame === undefined ? height : (pageHeight ?? height) })
  }
  return facts
}

async function read(image: Sharp): Promise<ImageFacts> {
  const { format, width, height, pages = 1, pageHeight, autoOrient, compression } = await image.metadata()
  // A frame is never turned.
  const turned = pages > 1 ? { width, height: pageHeight ?? height } : autoOrient
  return { format: format === 'heif' && compression === 'av1' ? 'avif' : format, ...turned, frames: pages }
}

function encode(image: Sharp, variant: PlainVariant): Sharp {
  const { width, height, fit, format, quality, effort, enlarge, background } = variant
  let made = image.autoOrient()
  if (width !== undefined || height !== undefined)
    made = made.resize({ width, height, fit, withoutEnlargement: !enlarge, background })
  switch (format) {
    case 'avif':
      return made.avif({ quality, effort })
    case 'webp':
      return made.webp({ quality, effort })
    case 'jpeg':
      return made.flatten({ background }).jpeg({ quality, mozjpeg: true })
    case 'png':
      return made.png({ effort: Math.max(1, effort) })
  }
}

/** What the library says, in our words. It names files, which nobody needs to know. */
function explain(error: unknown, { input }: ImageOrder): { code: ImageErrorCode; message: string } {
  if (error instanceof Refusal) return { code: error.code, message: error.message }
  const text = String((error as Partial<Error>).message ?? error).split('\n')[0]!
  if (/exceeds pixel limit|too large|exceeds.*limit/i.test(text))
    return { code: 'PLIMSOLL_IMAGE_TOO_LARGE', message: 'The image has more pixels than it may have.' }
  if (/unsupported image format|blocked/i.test(text))
    return { code: 'PLIMSOLL_IMAGE_INVALID', message: 'The file is no image of a kind that is taken.' }
  return {
    code: 'PLIMSOLL_IMAGE_INVALID',
    message: `The image cannot be read: ${text.replaceAll(input, 'the file').slice(0, 200)}`,
  }
}

/** Ends this process when an image needs more than it may. The work is done by other threads, so that this one can look. */
function watchMemory({ memoryBytes }: ImageOrder): NodeJS.Timeout {
  return setInterval(() => {
    if (process.memoryUsage.rss() <= memoryBytes) return
    const message = `The image needs more than the ${Math.round(memoryBytes / 1024 ** 2)} MB of memory that it may have.`
    tell({ type: 'failed', code: 'PLIMSOLL_IMAGE_TOO_LARGE', message }, () => process.kill(process.pid, 'SIGKILL'))
  }, watchMs)
}

async function run(sharp: typeof sharpLibrary, order: ImageOrder): Promise<void> {
  tell({ type: 'began' })
  const watch = watchMemory(order)
  try {
    if (order.svg) sharp.unblock({ operation: [svgLoader] })
    const facts = await make(sharp, order)
    tell({ type: 'done', facts })
  } catch (error) {
    tell({ type: 'failed', ...explain(error, order) })
  } finally {
    clearInterval(watch)
    if (order.svg) sharp.block({ operation: [svgLoader] })
  }
}

// Where memory runs out, Linux ends this process and no other.
try {
  writeFileSync('/proc/self/oom_score_adj', '1000')
} catch {
  // Elsewhere there is no such thing.
}
// An orderly end would wait for the threads, which may be at it for long.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})
try {
  const sharp = await loadLibrary()
  process.on('message', (order: ImageOrder) => void run(sharp, order))
  tell({ type: 'ready' })
} catch (error) {
  if (!isPlimsollError(error, 'PLIMSOLL_PEER_MISSING')) throw error
  tell({ type: 'missing' }, () => process.exit())
}
