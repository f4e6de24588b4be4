import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { promisify } from 'node:util'
import { brotliCompress, constants } from 'node:zlib'
import type { App } from 'plimsoll'

const contentTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml; charset=utf-8',
}

/** What the page consists of. */
export interface WebPage {
  /** The folder of its own files. */
  readonly folder: string
  /** Files of libraries, by the address that they get. */
  readonly libraries: ReadonlyMap<string, string>
  /** Where its files and videos may be besides: the storage, and a CDN. */
  readonly origins: readonly string[]
}

/** Serves a page from memory: the files of its folder at their own names, `index.html` at `/`, and those of libraries. */
export async function serveWebPage(fastify: App['fastify'], { folder, libraries, origins }: WebPage): Promise<void> {
  const headers = headersFor(origins)
  const own = (await readdir(folder)).map(
    (name) => [name === 'index.html' ? '/' : `/${name}`, join(folder, name)] as const,
  )
  for (const [address, path] of [...own, ...libraries]) {
    const type = contentTypes[extname(path).replace('.mjs', '.js')]
    if (!type) continue
    const body = await readFile(path)
    const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`
    const packed = packOnce(body)
    fastify.get(address, async (request, reply) => {
      const packs = packed !== undefined && /\bbr\b/.test(request.headers['accept-encoding'] ?? '')
      const tag = packs ? etag.replace(/"$/, '-br"') : etag
      reply.headers({ ...headers, etag: tag, vary: 'accept-encoding' })
      const known = request.headers['if-none-match']
      // A cache that compressed the file on the way may have weakened the tag.
      const fresh = known === '*' || known?.split(',').some((one) => one.trim().replace(/^W\//, '') === tag)
      if (fresh) return reply.code(304).send()
      reply.type(type)
      return packs ? reply.header('content-encoding', 'br').send(await packed()) : reply.send(body)
    })
  }
}

function headersFor(origins: readonly string[]): Readonly<Record<string, string>> {
  const files = ["'self'", ...origins].join(' ')
  return {
    // Nothing but this server's own files, and those of its storage: no inline script or style, no other origin, no frame around it.
    'content-security-policy': [
      "default-src 'none'",
      "script-src 'self'",
      "style-src 'self'",
      `img-src ${files}`,
      // Players hand a browser what they have fetched as a `blob:`, and hls.js opens captions as an empty `data:`.
      `media-src ${files} blob: data:`,
      `connect-src ${files}`,
      "base-uri 'none'",
      "form-action 'self'",
      "frame-ancestors 'none'",
    ].join('; '),
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'same-origin',
    // Names stay the same from release to release, so a browser asks each time and is mostly told 304.
    'cache-control': 'no-cache',
  }
}

const compress = promisify(brotliCompress)
/** Smaller files are not worth it. In bytes. */
const packsFrom = 2048

/** Compresses a file when it is asked for first. */
function packOnce(body: Buffer): (() => Promise<Buffer>) | undefined {
  if (body.length < packsFrom) return undefined
  let packed: Promise<Buffer> | undefined
  return () => (packed ??= compress(body, { params: { [constants.BROTLI_PARAM_QUALITY]: 6 } }))
}
