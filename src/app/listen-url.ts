import { PlimsollError } from '../core/errors.ts'

/** An address that a browser can open: the wildcard addresses are none. */
export function urlOf(host: string, port: number): string {
  const name = host === '0.0.0.0' || host === '::' ? 'localhost' : host
  return `http://${name.includes(':') ? `[${name}]` : name}:${port}`
}

/** What went wrong with listening, in words where the host is to blame. */
export function hostError(error: unknown, host: string): unknown {
  const { code } = error as NodeJS.ErrnoException
  if (!['ENOTFOUND', 'EAI_AGAIN', 'EADDRNOTAVAIL', 'EAFNOSUPPORT'].includes(code ?? '')) return error
  return new PlimsollError(
    'PLIMSOLL_OPTION_INVALID',
    `HOST is '${host}', which is no address of this machine (${code}); give one, such as 127.0.0.1, or 0.0.0.0 for all.`,
    { cause: error, details: { option: 'host' } },
  )
}
