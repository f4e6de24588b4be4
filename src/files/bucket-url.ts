import { listNames, PlimsollError, showValue } from '../core/errors.ts'

/** How long one call to a bucket may take by default, beside the time that its bytes take. */
export const defaultTimeoutMs = 30_000

/** A slower line than this, in bytes per millisecond, counts as none. */
export const slowestBytesPerMs = 100

// Keys of 900 bytes, and what a service takes.
const longestPrefix = 100
const bucketName = /^[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]$/

/**
 * Checks the name of a bucket, and that a URL has no other parameters.
 *
 * @throws PLIMSOLL_OPTION_INVALID
 */
export function checkBucketUrl(
  name: string,
  {
    bucket,
    values,
    parameters,
  }: { readonly bucket: string; readonly values: URLSearchParams; readonly parameters: readonly string[] },
): void {
  if (!bucketName.test(bucket)) throw invalidUrl(name, `${showValue(bucket)} is no name of a bucket`)
  for (const parameter of values.keys()) {
    if (!parameters.includes(parameter)) {
      throw invalidUrl(name, `'${parameter}' is not among its parameters: ${listNames(parameters)}`)
    }
  }
  const endpoint = values.get('endpoint')
  if (endpoint !== null && !isEndpoint(endpoint)) {
    throw invalidUrl(name, 'its endpoint is no address; give one such as https://storage.example.com')
  }
}

/**
 * Checks what keys are to begin with.
 *
 * @throws PLIMSOLL_OPTION_INVALID
 */
export function readPrefix(text: string, name: string): string {
  const prefix = text === '' || text.endsWith('/') ? text : `${text}/`
  const parts = prefix.split('/').slice(0, -1)
  if (prefix === '') return ''
  if (
    prefix.length > longestPrefix ||
    !parts.every((part) => /^[\w.-]+$/.test(part) && part !== '.' && part !== '..')
  ) {
    const advice = `give up to ${longestPrefix} letters, digits, dots, hyphens and underscores, in parts between slashes`
    throw invalidUrl(name, `its prefix is ${showValue(text)}; ${advice}`)
  }
  return prefix
}

function isEndpoint(text: string): boolean {
  const url = URL.parse(text)
  return url !== null && /^https?:$/.test(url.protocol) && url.search === '' && url.username === ''
}

/** STORAGE_URL is not what it should be. */
export function invalidUrl(name: string, advice: string): PlimsollError {
  return new PlimsollError('PLIMSOLL_OPTION_INVALID', `STORAGE_URL is '${name}'; ${advice}.`, {
    details: { option: 'storageUrl' },
  })
}
