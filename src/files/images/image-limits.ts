import { parseDuration, type Duration } from '../../core/duration.ts'
import { PlimsollError, showValue } from '../../core/errors.ts'
import { parseSize, type Size } from '../../core/size.ts'

/** What an image may cost that somebody else has made. */
export interface ImageLimits {
  /** Width × height, of all frames that are read together. Default 50,000,000. */
  readonly maxPixels?: number | undefined
  /** The size of its file. Default `'50MB'`. */
  readonly maxBytes?: Size | undefined
  /** What the process that decodes it may hold. Default `'768MB'`. */
  readonly memory?: Size | undefined
  /** How long all variants of it may take. Default `'30s'`. */
  readonly timeout?: Duration | undefined
  /** Takes SVG too, which is a program that draws. Default false. */
  readonly svg?: boolean | undefined
}

/** {@link ImageLimits}, checked. */
export interface PlainLimits {
  readonly maxPixels: number
  readonly maxBytes: number
  readonly memoryBytes: number
  readonly timeoutMs: number
  readonly svg: boolean
}

/** Node.js and the library need that much before there is an image. */
const leastMemory = 128 * 1024 ** 2

/** @throws PLIMSOLL_OPTION_INVALID */
export function parseLimits(limits: ImageLimits = {}): PlainLimits {
  const { maxPixels = 50_000_000, maxBytes = '50MB', memory = '768MB', timeout = '30s', svg = false } = limits
  if (!Number.isSafeInteger(maxPixels) || maxPixels < 1)
    throw invalid('maxPixels', maxPixels, 'give a whole number from 1')
  const memoryBytes = parseSize(memory, 'limits.memory')
  if (memoryBytes < leastMemory) throw invalid('memory', memory, "give at least '128MB'")
  const timeoutMs = parseDuration(timeout, 'limits.timeout')
  if (timeoutMs < 100) throw invalid('timeout', timeout, "give at least '100ms'")
  return { maxPixels, maxBytes: parseSize(maxBytes, 'limits.maxBytes'), memoryBytes, timeoutMs, svg }
}

function invalid(option: string, value: unknown, fix: string): PlimsollError {
  return new PlimsollError('PLIMSOLL_OPTION_INVALID', `limits.${option} of images is ${showValue(value)}; ${fix}.`, {
    details: { option: `limits.${option}` },
  })
}
