/** A connection URL without its password and without query values that look like secrets, for messages and logs. */
export function redactUrl(url: string): string {
  return url
    .replace(/^([a-z][a-z0-9+.-]*:\/\/[^:/?#@]*):[^@/?#]*@/i, '$1:***@')
    .replace(/([?&][^=&]*(?:password|secret|token|key)[^=&]*)=[^&]*/gi, '$1=***')
}
