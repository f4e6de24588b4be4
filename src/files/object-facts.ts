import { listNames, PlimsollError, showValue } from '../core/errors.ts'
import type { ObjectFacts, StoredObject, WrittenObject } from './contract.ts'

/** Facts as they are stored: checked, with the type that is taken where none is given. */
export type CheckedFacts = Pick<WrittenObject, 'type' | 'cacheControl' | 'disposition' | 'metadata'>

/** The type of what says nothing of its own. */
export const defaultType = 'application/octet-stream'

const mostMetadata = 2048
const mostHeader = 1024
// RFC 9110, sections 5.6.2, 5.6.4 and 8.3.1.
const token = "[!#$%&'*+.^_`|~0-9a-z-]+"
const quoted = '"(?:[\\x20\\x21\\x23-\\x5b\\x5d-\\x7e]|\\\\[\\x20-\\x7e])*"'
const mediaType = new RegExp(`^${token}/${token}(?:[ \\t]*;[ \\t]*${token}=(?:${token}|${quoted}))*$`, 'i')
// Without spaces at its ends: headers lose them.
const printable = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/

/**
 * Checks what is to be kept beside an object; every store gives it back as it was.
 *
 * @throws PLIMSOLL_FILE_FACTS_INVALID
 */
export function checkFacts({
  type = defaultType,
  cacheControl,
  disposition,
  metadata = {},
}: ObjectFacts): CheckedFacts {
  if (type.length > mostHeader || !mediaType.test(type)) {
    throw invalid(`The type ${showValue(type)} is none; give one such as 'image/png' or 'text/html; charset=utf-8'`)
  }
  checkHeader('cacheControl', cacheControl)
  checkHeader('disposition', disposition)
  let bytes = 0
  for (const [name, value] of Object.entries(metadata)) {
    if (!/^[a-z0-9-]+$/.test(name)) {
      throw invalid(`The name ${showValue(name)} in metadata may have letters a to z, digits and hyphens only`)
    }
    if (typeof value !== 'string' || !printable.test(value)) {
      const advice = 'printable ASCII without spaces at its ends; encode the rest, for example by encodeURIComponent'
      throw invalid(`The value ${showValue(value)} of '${name}' in metadata is not ${advice}`)
    }
    bytes += name.length + value.length
  }
  if (bytes > mostMetadata) {
    throw invalid(`The metadata ${listNames(Object.keys(metadata))} has ${bytes} bytes, more than ${mostMetadata}`)
  }
  return Object.freeze({ type, cacheControl, disposition, metadata: Object.freeze({ ...metadata }) })
}

/** What is said of an object to who has stored it. */
export function asWritten(object: StoredObject): WrittenObject {
  const { modifiedAt: _, ...written } = object
  return written
}

/** The facts of a copy: those that are given, and of the source's the others. */
export function copiedFacts(source: CheckedFacts, given: ObjectFacts): CheckedFacts {
  return checkFacts({
    type: given.type ?? source.type,
    cacheControl: given.cacheControl ?? source.cacheControl,
    disposition: given.disposition ?? source.disposition,
    metadata: given.metadata ?? source.metadata,
  })
}

/** Checks a value that becomes a header. @throws PLIMSOLL_FILE_FACTS_INVALID */
export function checkHeader(name: string, value: string | undefined): void {
  if (value === undefined || (value.length <= mostHeader && printable.test(value))) return
  throw invalid(`The ${name} ${showValue(value)} is not up to ${mostHeader} characters of printable ASCII`)
}

function invalid(message: string): PlimsollError {
  return new PlimsollError('PLIMSOLL_FILE_FACTS_INVALID', `${message}.`)
}
