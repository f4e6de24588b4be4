/**
 * Types that a browser runs, or may run something out of. Shown from the application's own address, a stranger's file would act for
 * whoever opens it.
 */
const active = new Set([
  'text/html',
  'application/xhtml+xml',
  'text/xml',
  'application/xml',
  'application/xslt+xml',
  'text/xsl',
  'application/pdf',
  'text/cache-manifest',
  'application/x-shockwave-flash',
  'application/mathml+xml',
  'multipart/x-mixed-replace',
  'message/rfc822',
  'multipart/related',
])

/** Types that a browser shows, and that do nothing. */
const passive =
  /^(?:image\/(?!svg)[\w.+-]+|audio\/[\w.+-]+|video\/[\w.+-]+|text\/(?:plain|vtt|csv)|application\/(?:json|vnd\.apple\.mpegurl|dash\+xml)|font\/[\w.+-]+)$/

/** What a page of an active type may do when somebody insists on showing it: nothing but look right. */
export const sandboxPolicy = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"

/** A media type without its parameters, in lower case. */
function essence(type: string): string {
  return type.split(';', 1)[0]!.trim().toLowerCase()
}

/** Whether a browser may run what is in a file of a type. Of several types, which a store of others may say, it takes any. */
export function isActive(type: string): boolean {
  if (type.includes(',')) return true
  const bare = essence(type)
  return active.has(bare) || bare.endsWith('+xml') ? !passive.test(bare) : false
}

/** Whether a browser shows a file of a type without running anything. */
export function isPassive(type: string): boolean {
  return !type.includes(',') && passive.test(essence(type))
}
