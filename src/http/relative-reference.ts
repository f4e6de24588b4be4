/**
 * How the resource at path `from` refers to that at `to`, relatively (RFC 3986, section 4.2): from `/docs` to
 * `/docs/page.css` it is `./docs/page.css`.
 */
export function relativeReference(from: string, to: string): string {
  const folders = from.split('/').slice(0, -1)
  const words = to.split('/')
  let shared = 0
  while (shared < folders.length && shared < words.length - 1 && folders[shared] === words[shared]) shared++
  const up = '../'.repeat(folders.length - shared)
  // Never a bare word: one with a colon in it would be taken for a scheme.
  return `${up === '' ? './' : up}${words.slice(shared).join('/')}`
}
