import { PlimsollError } from '../core/errors.ts'

/** One `name=value` of a query string: decoded, and as it was sent. */
export interface QueryParameter {
  readonly name: string
  readonly value: string
  readonly raw: string
}

/** Longer query strings are refused; Node itself stops at 16 KB of head. */
const maxLength = 16_384
const maxParameters = 64

/**
 * Reads the query string of a URL (`application/x-www-form-urlencoded`), in order. It is read here and not by the server,
 * whose parser an application may have replaced by one that nests or merges names.
 *
 * @throws PLIMSOLL_PARAMETER_INVALID for a repeated name, malformed percent-encoding, a NUL, or too much of anything.
 */
export function parseQueryString(query: string): readonly QueryParameter[] {
  if (query === '') return []
  if (query.length > maxLength) throw invalid(`The query string is longer than ${maxLength} characters.`)
  const parameters: QueryParameter[] = []
  for (const raw of query.split('&')) {
    if (raw === '') continue
    if (parameters.length === maxParameters)
      throw invalid(`The query string has more than ${maxParameters} parameters.`)
    const equals = raw.indexOf('=')
    const rawName = equals < 0 ? raw : raw.slice(0, equals)
    const name = decode(rawName, rawName)
    const value = equals < 0 ? '' : decode(raw.slice(equals + 1), name)
    if (parameters.some((parameter) => parameter.name === name)) {
      throw invalid(`The parameter '${cut(name)}' is given more than once; lists are written with commas.`, name)
    }
    parameters.push({ name, value, raw })
  }
  return parameters
}

/** The part of a request's URL after `?`, and the part before it. */
export function splitUrl(url: string): { readonly path: string; readonly query: string } {
  const mark = url.indexOf('?')
  if (mark < 0) return { path: url, query: '' }
  const hash = url.indexOf('#', mark)
  return { path: url.slice(0, mark), query: hash < 0 ? url.slice(mark + 1) : url.slice(mark + 1, hash) }
}

/** At most 80 characters of a name that a client sent, for messages. */
export function cut(text: string): string {
  return text.length > 80 ? `${text.slice(0, 79)}…` : text
}

/** `parameter` is what the parameter is called, or what is known of its name. */
function decode(text: string, parameter: string): string {
  // Most names and values need no decoding at all.
  if (!/[%+\0]/.test(text)) return text
  let decoded: string
  try {
    decoded = decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    throw invalid(`'${cut(text)}' in the query string is not percent-encoded UTF-8.`, parameter)
  }
  // PostgreSQL's text holds every character but this one.
  if (decoded.includes('\0')) throw invalid(`'${cut(parameter)}' contains a NUL character.`, parameter)
  return decoded
}

function invalid(message: string, parameter?: string): PlimsollError {
  const details = parameter === undefined ? {} : { parameter: cut(parameter) }
  return new PlimsollError('PLIMSOLL_PARAMETER_INVALID', message, { details })
}
