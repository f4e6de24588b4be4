import { readFileSync } from 'node:fs'
import { PlimsollError, showValue } from '../../core/errors.ts'

/** How a server is asked to prove who it is, and we to it. */
export interface TlsFiles {
  rejectUnauthorized: boolean
  servername?: string
  ca?: string
  cert?: string
  key?: string
}

/** The parameters of a QUEUE_URL that are about TLS: paths of PEM files, `servername`, and `verify=false`. */
export const tlsParameters = ['ca', 'cert', 'key', 'servername', 'verify'] as const

/** Reads them. `name` is the URL without its secrets. @throws PLIMSOLL_OPTION_INVALID */
export function readTls(values: URLSearchParams, name: string): TlsFiles {
  const tls: TlsFiles = { rejectUnauthorized: values.get('verify') !== 'false' }
  for (const parameter of ['ca', 'cert', 'key'] as const) {
    const path = values.get(parameter)
    if (path === null) continue
    try {
      tls[parameter] = readFileSync(path, 'utf8')
    } catch (error) {
      throw invalidQueueUrl(name, `the file of '${parameter}' cannot be read: ${(error as Error).message}`)
    }
  }
  const servername = values.get('servername')
  if (servername !== null) tls.servername = servername
  return tls
}

/** A part of a URL. People forget to encode theirs, so a stray `%` is taken as it is. */
export function decodePart(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** What is wrong with a QUEUE_URL. */
export function invalidQueueUrl(name: string, advice: string): PlimsollError {
  return new PlimsollError('PLIMSOLL_OPTION_INVALID', `QUEUE_URL is ${showValue(name)}; ${advice}.`, {
    details: { option: 'queueUrl' },
  })
}
