import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A file of an origin. */
export interface OriginFile {
  readonly body: Buffer | string
  readonly headers?: Record<string, string>
}

/** What an edge stands before: files by their paths, with ranges, and as attachments with `?download`, as `app.downloads` has them. */
export interface Origin extends AsyncDisposable {
  readonly url: string
  /** By their decoded paths; may be changed. */
  readonly files: Map<string, OriginFile>
  /** The paths that it was asked for, as they came. */
  readonly asked: string[]
}

/** Starts one on a loopback port. */
export async function startOrigin(files: Readonly<Record<string, OriginFile>> = {}): Promise<Origin> {
  const stored = new Map(Object.entries(files))
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(request.url!)
    const file = stored.get(decodeURIComponent(request.url!.replace(/\?.*$/, '')))
    if (file === undefined) return void response.writeHead(404, { 'cache-control': 'no-store' }).end('not here')
    const body = Buffer.from(file.body)
    const saved = new URL(request.url!, 'http://origin').searchParams.has('download')
    const headers = {
      'cache-control': 'public, max-age=3600',
      etag: `"${body.length}"`,
      'content-disposition': saved ? 'attachment' : 'inline',
      ...file.headers,
    }
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? []
    if (from === undefined) return void response.writeHead(200, headers).end(body)
    const end = Math.min(Number(to), body.length - 1)
    const range = { 'content-range': `bytes ${from}-${end}/${body.length}`, 'accept-ranges': 'bytes' }
    response.writeHead(206, { ...headers, ...range }).end(body.subarray(Number(from), end + 1))
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    files: stored,
    asked,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
