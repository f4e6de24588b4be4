import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { extname, join } from 'node:path'
import type { App } from 'plimsoll'

const contentTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml; charset=utf-8',
}

const headers: Readonly<Record<string, string>> = {
  // Nothing but this server's own files: no inline script or style, no other origin, no frame around it.
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join('; '),
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'same-origin',
  // Names stay the same from release to release, so a browser asks each time and is mostly told 304.
  'cache-control': 'no-cache',
}

/** Serves the files of `folder` from memory, each at its own name and `index.html` at `/`. */
export async function serveWebPage(fastify: App['fastify'], folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const type = contentTypes[extname(name)]
    if (!type) continue
    const body = await readFile(join(folder, name))
    const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`
    fastify.get(name === 'index.html' ? '/' : `/${name}`, (request, reply) => {
      reply.headers({ ...headers, etag })
      const known = request.headers['if-none-match']
      // A cache that compressed the file on the way may have weakened the tag.
      const fresh = known === '*' || known?.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag)
      return fresh ? reply.code(304).send() : reply.type(type).send(body)
    })
  }
}
