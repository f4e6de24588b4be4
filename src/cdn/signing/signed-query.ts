import type { SignTarget } from '../provider.ts'

/** A whole address, unsigned. */
export function plainUrl({
  origin,
  path,
  query = '',
}: Pick<SignTarget, 'origin' | 'path'> & { readonly query?: string }): string {
  return `${origin}${path}${query === '' ? '' : `?${query}`}`
}

/** An address with more behind its query. */
export function withQuery(url: string, more: string): string {
  return `${url}${url.includes('?') ? '&' : '?'}${more}`
}
