/**
 * A connection URL without its password and without query values that look like secrets, for messages and logs. The
 * password ends at the last `@` of all, since people forget to encode theirs: rather too much is hidden than too little.
 */
export function redactUrl(url: string): string {
  return url
    .replace(/^([a-z][a-z0-9+.-]*:\/\/[^:/?#@]*):.*@/is, '$1:***@')
    .replace(/([?&][^=&]*(?:password|secret|token|key)[^=&]*)=[^&]*/gi, '$1=***')
}
