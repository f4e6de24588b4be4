import { execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { deflateSync } from 'node:zlib'
import sharp, { type Sharp } from 'sharp'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { parseLimits, type ImageLimits } from '../../../src/files/images/image-limits.ts'
import { openImageMaker } from '../../../src/files/images/image-maker.ts'
import type { MadeImages } from '../../../src/files/images/image-process.ts'
import { parseVariant, type ImageVariant } from '../../../src/files/images/image-variant.ts'
import { imageProcesses } from './image-processes.ts'
import { plainPng, pngChunk } from './make-png.ts'

const folder = mkdtempSync(join(tmpdir(), 'plimsoll-images-'))
const maker = openImageMaker({ most: 2 })
let files = 0

afterAll(async () => {
  await maker.close()
  rmSync(folder, { recursive: true, force: true })
})

interface Made extends MadeImages {
  readonly files: readonly string[]
}

async function make(
  image: Uint8Array,
  variants: readonly ImageVariant[],
  { signal, ...limits }: ImageLimits & { readonly signal?: AbortSignal } = {},
): Promise<Made> {
  const input = join(folder, `${files++}.png`)
  writeFileSync(input, image)
  const outputs = variants.map((variant, i) => ({ file: `${input}.${i}`, variant: parseVariant(variant, 'variant') }))
  const made = await maker.make({ input, outputs }, { limits: parseLimits(limits), signal })
  return { ...made, files: outputs.map(({ file }) => file) }
}

const red = { r: 200, g: 40, b: 40 }

function picture(width: number, height: number, alpha = 1): Sharp {
  return sharp({ create: { width, height, channels: 4, background: { ...red, alpha } } })
}

/** Left half red, right half blue. */
async function halves(width: number, height: number): Promise<Sharp> {
  const blue = await sharp({ create: { width: width / 2, height, channels: 3, background: 'blue' } })
    .png()
    .toBuffer()
  return sharp(
    await picture(width, height)
      .removeAlpha()
      .composite([{ input: blue, left: width / 2, top: 0 }])
      .png()
      .toBuffer(),
  )
}

async function pixel(file: string, left: number, top: number): Promise<number[]> {
  const { data } = await sharp(file)
    .extract({ left, top, width: 1, height: 1 })
    .raw()
    .toBuffer({ resolveWithObject: true })
  return [...data]
}

/** An image that takes long to encode. */
const noise = (): Promise<Buffer> =>
  sharp(randomBytes(3000 * 3000 * 3), { raw: { width: 3000, height: 3000, channels: 3 } })
    .png({ compressionLevel: 0 })
    .toBuffer()
const slowVariant: ImageVariant = { format: 'avif', effort: 6, quality: 100 }

describe('variants of an image', () => {
  test('are of the size, fit and format that they say', async () => {
    const image = await (await halves(400, 200)).jpeg().toBuffer()
    const {
      facts,
      sizes,
      files: made,
    } = await make(image, [
      { width: 100 },
      { height: 50, format: 'avif' },
      { width: 80, height: 80, fit: 'cover', format: 'jpeg' },
      { width: 80, height: 80, fit: 'contain', format: 'png', background: '#00ff00' },
      { width: 80, height: 80, fit: 'fill' },
      { width: 4000 },
      { width: 800, enlarge: true },
      {},
    ])
    expect(facts).toEqual({ format: 'jpeg', width: 400, height: 200, frames: 1 })
    expect(sizes.map(({ width, height }) => [width, height])).toEqual([
      [100, 50],
      [100, 50],
      [80, 80],
      [80, 80],
      [80, 80],
      [400, 200],
      [800, 400],
      [400, 200],
    ])
    const formats = await Promise.all(made.map(async (file) => (await sharp(file).metadata()).mediaType))
    expect(formats.slice(0, 4)).toEqual(['image/webp', 'image/avif', 'image/jpeg', 'image/png'])
    expect((await pixel(made[3]!, 40, 2)).slice(0, 3)).toEqual([0, 255, 0])
  })

  test('are turned as EXIF says, and tell nothing of where and when they were taken', async () => {
    const image = await (
      await halves(64, 32)
    )
      .jpeg()
      .withExif({ IFD0: { Copyright: 'Ada' }, IFD3: { GPSLatitude: '59/1 19/1 0/1', GPSLatitudeRef: 'N' } })
      .withMetadata({ orientation: 6 })
      .toBuffer()
    expect((await sharp(image).metadata()).orientation).toBe(6)
    const {
      facts,
      sizes,
      files: made,
    } = await make(
      image,
      (['webp', 'avif', 'jpeg', 'png'] as const).map((format) => ({ format })),
    )
    expect(facts).toMatchObject({ width: 32, height: 64 })
    expect(sizes).toEqual(Array.from({ length: 4 }, () => ({ width: 32, height: 64 })))
    for (const file of made) {
      const { exif, xmp, iptc, icc, orientation } = await sharp(file).metadata()
      expect({ exif, xmp, iptc, icc, orientation: orientation ?? 1 }).toEqual({
        exif: undefined,
        xmp: undefined,
        iptc: undefined,
        icc: undefined,
        orientation: 1,
      })
      // Turned to the right, its left half is on top.
      const [r, , b] = await pixel(file, 16, 8)
      expect(r).toBeGreaterThan(150)
      expect(b).toBeLessThan(100)
    }
  })

  test('are in sRGB, whatever profile the image has', async () => {
    const image = await picture(16, 16).removeAlpha().withIccProfile('p3').png().toBuffer()
    const inP3 = await sharp(image, { ignoreIcc: true }).raw().toBuffer()
    const { files: made } = await make(image, [{ format: 'png' }])
    const shown = await pixel(made[0]!, 8, 8)
    for (const [i, value] of [red.r, red.g, red.b].entries()) expect(Math.abs(shown[i]! - value)).toBeLessThan(4)
    // The numbers of the image are others: they were read by its profile.
    expect(Math.abs(inP3[0]! - red.r)).toBeGreaterThan(8)
  })

  test('show a background where JPEG cannot show nothing', async () => {
    const image = await picture(16, 16, 0).png().toBuffer()
    const { files: made } = await make(image, [{ format: 'jpeg' }, { format: 'jpeg', background: '#0000ff' }, {}])
    expect(await pixel(made[0]!, 8, 8)).toEqual([255, 255, 255])
    expect((await pixel(made[1]!, 8, 8))[2]).toBeGreaterThan(250)
    expect((await pixel(made[2]!, 8, 8))[3]).toBe(0)
  })

  test('have the first frame of a moving image, or all of them', async () => {
    const frames = await Promise.all(
      ['red', 'lime', 'blue'].map((background) =>
        sharp({ create: { width: 20, height: 10, channels: 3, background } })
          .png()
          .toBuffer(),
      ),
    )
    const image = await sharp(frames, { join: { animated: true } })
      .gif({ loop: 0, delay: [100, 100, 100] })
      .toBuffer()
    const { facts, sizes, files: made } = await make(image, [{ width: 10 }, { width: 10, animation: 'keep' }])
    expect(facts).toEqual({ format: 'gif', width: 20, height: 10, frames: 3 })
    expect(sizes).toEqual([
      { width: 10, height: 5 },
      { width: 10, height: 5 },
    ])
    expect((await sharp(made[0]).metadata()).pages ?? 1).toBe(1)
    expect((await sharp(made[1]).metadata()).pages).toBe(3)
    await expect(make(image, [{ animation: 'keep' }], { maxPixels: 500 })).rejects.toMatchObject({
      code: 'PLIMSOLL_IMAGE_TOO_LARGE',
    })
    await expect(make(image, [{}], { maxPixels: 500 })).resolves.toBeDefined()
  })
})

describe('an image that means harm', () => {
  const manySegments = (jpeg: Buffer): Buffer => {
    const segment = Buffer.concat([
      Buffer.from([0xff, 0xe1, 0xff, 0xff]),
      Buffer.from('Exif\0\0'),
      Buffer.alloc(0xffff - 8, 0x41),
    ])
    return Buffer.concat([jpeg.subarray(0, 2), ...Array.from({ length: 400 }, () => segment), jpeg.subarray(2)])
  }
  const compressed = (megabytes: number): Buffer => deflateSync(Buffer.alloc(megabytes * 1024 ** 2, 0x41), { level: 9 })

  test.each<[string, () => Buffer | Promise<Buffer>, string]>([
    ['of 16000² pixels', () => plainPng(16_000, 16_000), 'PLIMSOLL_IMAGE_TOO_LARGE'],
    ['that says it has 2³¹ pixels a side', () => plainPng(2 ** 31 - 1, 2 ** 31 - 1, { rows: 0 }), 'PLIMSOLL_IMAGE_'],
    ['whose pixels are missing', () => plainPng(4000, 4000, { rows: 10 }), 'PLIMSOLL_IMAGE_INVALID'],
    [
      'that is cut off',
      async () => (await picture(500, 500).jpeg().toBuffer()).subarray(0, 900),
      'PLIMSOLL_IMAGE_INVALID',
    ],
    ['that is HTML', () => Buffer.from('<!doctype html><script>alert(1)</script>'), 'PLIMSOLL_IMAGE_INVALID'],
    [
      'that is SVG',
      () => Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'),
      'PLIMSOLL_IMAGE_INVALID',
    ],
    [
      'that is a PDF',
      () => Buffer.from('%PDF-1.4\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF'),
      'PLIMSOLL_IMAGE_INVALID',
    ],
    ['that is nothing', () => Buffer.alloc(0), 'PLIMSOLL_IMAGE_INVALID'],
    [
      'that is noise behind the name of a PNG',
      () => Buffer.concat([plainPng(1, 1).subarray(0, 8), Buffer.alloc(5000, 7)]),
      'PLIMSOLL_IMAGE_INVALID',
    ],
  ])('%s is refused', async (_, image, code) => {
    const began = performance.now()
    const before = process.memoryUsage.rss()
    await expect(make(await image(), [{ width: 100 }])).rejects.toMatchObject({ code: expect.stringContaining(code) })
    expect(performance.now() - began).toBeLessThan(30_000)
    expect(process.memoryUsage.rss() - before).toBeLessThan(150 * 1024 ** 2)
  })

  test.each<[string, () => Buffer | Promise<Buffer>]>([
    ['25 MB of EXIF', async () => manySegments(await picture(50, 50).jpeg().toBuffer())],
    [
      'a text of 200 MB',
      () => plainPng(50, 50, { more: [pngChunk('zTXt', Buffer.concat([Buffer.from('a\0\0'), compressed(200)]))] }),
    ],
    [
      'a profile of 200 MB',
      () => plainPng(50, 50, { more: [pngChunk('iCCP', Buffer.concat([Buffer.from('a\0\0'), compressed(200)]))] }),
    ],
  ])('with %s is made or refused, within its bounds, and the next one is made', async (_, image) => {
    const outcome = await make(await image(), [{ width: 10 }]).catch((error: unknown) => error)
    if (outcome instanceof Error)
      expect(outcome).toMatchObject({ code: expect.stringMatching(/^PLIMSOLL_IMAGE_/), retryable: false })
    else expect((outcome as Made).sizes).toEqual([{ width: 10, height: 10 }])
    await expect(make(plainPng(20, 20), [{ width: 10 }])).resolves.toBeDefined()
  })

  test('is given up when its time is over, or somebody says so, and the next one is made', async () => {
    const image = await noise()
    await expect(make(image, [slowVariant], { timeout: 200 })).rejects.toMatchObject({ code: 'PLIMSOLL_IMAGE_TIMEOUT' })
    const controller = new AbortController()
    const given = make(image, [slowVariant], { signal: controller.signal })
    setTimeout(() => controller.abort(new Error('no longer wanted')), 300)
    await expect(given).rejects.toThrow('no longer wanted')
    await expect(make(plainPng(20, 20), [{ width: 10 }])).resolves.toBeDefined()
  })

  test('is given up when it needs too much memory, and the next one is made', async () => {
    // Interlaced, so that all of it has to be held.
    const image = await picture(7000, 7000).png({ progressive: true }).toBuffer()
    await expect(make(image, [{}], { memory: '128MB' })).rejects.toMatchObject({
      code: 'PLIMSOLL_IMAGE_TOO_LARGE',
      message: expect.stringContaining('128 MB of memory'),
    })
    await expect(make(plainPng(20, 20), [{ width: 10 }])).resolves.toBeDefined()
  })

  test('is SVG, and taken where that was asked for', async () => {
    const svg = Buffer.from(
      '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20"><rect width="40" height="20" fill="red"/></svg>',
    )
    const { sizes } = await make(svg, [{ width: 20 }], { svg: true })
    expect(sizes).toEqual([{ width: 20, height: 10 }])
    await expect(make(svg, [{ width: 20 }])).rejects.toMatchObject({ code: 'PLIMSOLL_IMAGE_INVALID' })
  })
})

const isThere = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

describe.skipIf(!existsSync('/proc'))('a process of images that is killed', () => {
  test('while it has work fails that work, which may be tried again, and nothing else', async () => {
    const own = openImageMaker({ most: 1 })
    onTestFinished(() => own.close())
    const input = join(folder, 'killed.png')
    writeFileSync(input, await noise())
    const slow = { input, outputs: [{ file: `${input}.avif`, variant: parseVariant(slowVariant, 'variant') }] }
    const quick = { input, outputs: [{ file: `${input}.webp`, variant: parseVariant({ width: 10 }, 'variant') }] }
    const options = { limits: parseLimits() }
    const before = new Set(imageProcesses(process.pid))
    const made = own.make(slow, options)
    made.catch(() => {})
    const began = async (): Promise<number | undefined> => {
      const pid = imageProcesses(process.pid).find((one) => !before.has(one))
      // Its first pixels need more than its start did.
      return pid !== undefined && /VmRSS:\s+(\d{6,})/.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
        ? pid
        : undefined
    }
    await expect.poll(began).toBeDefined()
    process.kill((await began())!, 'SIGKILL')
    const error: unknown = await made.catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'PLIMSOLL_IMAGE_INVALID', message: expect.stringContaining('SIGKILL') })
    expect(error).not.toHaveProperty('retryable')
    await expect(own.make(quick, options)).resolves.toMatchObject({ sizes: [{ width: 10, height: 10 }] })
    // While it has nothing to do nobody is to blame, and nobody notices.
    const idle = imageProcesses(process.pid).find((one) => !before.has(one))!
    process.kill(idle, 'SIGKILL')
    await expect(own.make(quick, options)).resolves.toBeDefined()
  })

  test('is so when the process that it works for is, whatever it does', async () => {
    const input = join(folder, 'orphan.png')
    writeFileSync(input, await noise())
    const program = fileURLToPath(new URL('make-one.ts', import.meta.url))
    const parent = spawn(process.execPath, [program, input, `${input}.avif`, JSON.stringify(slowVariant)], {
      stdio: 'ignore',
    })
    onTestFinished(() => void parent.kill('SIGKILL'))
    await expect.poll(() => imageProcesses(parent.pid!)).toHaveLength(1)
    const [child] = imageProcesses(parent.pid!)
    parent.kill('SIGKILL')
    await expect.poll(() => isThere(child!)).toBe(false)
  })
})

describe('the maker of images', () => {
  test('refuses more than it can hold, and those that come after it was closed', async () => {
    const small = openImageMaker({ most: 1, mostWaiting: 1 })
    const input = join(folder, 'small.png')
    writeFileSync(input, plainPng(20, 20))
    const order = {
      input,
      outputs: [{ file: join(folder, 'small.webp'), variant: parseVariant({ width: 10 }, 'variant') }],
    }
    const options = { limits: parseLimits() }
    const [first, second, third] = await Promise.allSettled([1, 2, 3].map(() => small.make(order, options)))
    expect([first!.status, second!.status]).toEqual(['fulfilled', 'fulfilled'])
    expect(third).toMatchObject({ status: 'rejected', reason: { code: 'PLIMSOLL_IMAGES_BUSY' } })
    await small.close()
    await expect(small.make(order, options)).rejects.toMatchObject({ code: 'PLIMSOLL_IMAGES_BUSY' })
  })

  test('says which package is missing, where there is none', async () => {
    const elsewhere = mkdtempSync(join(tmpdir(), 'plimsoll-without-'))
    onTestFinished(() => rmSync(elsewhere, { recursive: true, force: true }))
    const root = fileURLToPath(new URL('../../../', import.meta.url))
    for (const part of ['package.json', 'src/core', 'src/files/images', 'test/integration/images/make-one.ts'])
      cpSync(join(root, part), join(elsewhere, part), { recursive: true })
    const program = join(elsewhere, 'test/integration/images/make-one.ts')
    const failed = promisify(execFile)(process.execPath, [program, program, 'nowhere'], { timeout: 60_000 })
    await expect(failed).rejects.toMatchObject({ stderr: expect.stringContaining('Run: npm install sharp') })
  })

  test('does not keep its process alive', async () => {
    const input = join(folder, 'one.png')
    writeFileSync(input, plainPng(20, 20))
    const program = fileURLToPath(new URL('make-one.ts', import.meta.url))
    const { stdout } = await promisify(execFile)(process.execPath, [program, input, `${input}.webp`], {
      timeout: 60_000,
    })
    expect(JSON.parse(stdout)).toEqual([{ width: 8, height: 8 }])
  })
})
