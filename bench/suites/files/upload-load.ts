import { request as httpRequest } from 'node:http'

/** A megabyte that is sent again and again. */
const piece = Buffer.alloc(1024 ** 2, 'plimsoll')

/** Sends so many bytes, as the server takes them; resolves when they were answered. */
export function sendBytes(
  url: string,
  {
    method,
    headers,
    bytes,
  }: { readonly method: string; readonly headers: Readonly<Record<string, string>>; readonly bytes: number },
): Promise<void> {
  return new Promise((resolve, reject) => {
    const sending = httpRequest(
      url,
      { method, headers: { ...headers, 'content-length': bytes }, agent: false },
      (response) => {
        let body = ''
        response.on('data', (chunk: Buffer) => (body += chunk.toString('latin1', 0, 200)))
        response.once('end', () => {
          const ok = response.statusCode! >= 200 && response.statusCode! < 300
          if (ok) resolve()
          else reject(new Error(`${method} ${url} answered ${response.statusCode}: ${body}`))
        })
      },
    )
    sending.once('error', reject)
    let left = bytes
    const write = (): void => {
      while (left > 0) {
        const chunk = left < piece.length ? piece.subarray(0, left) : piece
        left -= chunk.length
        if (!sending.write(chunk)) {
          sending.once('drain', write)
          return
        }
      }
      sending.end()
    }
    write()
  })
}

/** Uploads so many bytes to a place of Plimsoll's: a ticket, parts of which four are on their way at a time, and the completion. */
export async function uploadInParts(base: string, bytes: number): Promise<void> {
  const ticket = (await ask(`${base}/uploads`, {
    name: 'large.bin',
    type: 'application/octet-stream',
    size: bytes,
  })) as {
    readonly complete: string
    readonly parts: { readonly size: number; readonly count: number; readonly url: string }
  }
  const { size, count, url } = ticket.parts
  const missing = Array.from({ length: count }, (_, at) => at + 1)
  const worker = async (): Promise<void> => {
    for (let numbers = missing.splice(0, 8); numbers.length > 0; numbers = missing.splice(0, 8)) {
      const { parts } = (await ask(`${base}${url}`, { parts: numbers.map((number) => ({ number })) })) as {
        readonly parts: readonly {
          readonly number: number
          readonly url: string
          readonly headers: Readonly<Record<string, string>>
        }[]
      }
      for (const { number, url: address, headers } of parts) {
        await sendBytes(new URL(address, base).href, {
          method: 'PUT',
          headers,
          bytes: number < count ? size : bytes - (count - 1) * size,
        })
      }
    }
  }
  await Promise.all([1, 2, 3, 4].map(worker))
  await ask(`${base}${ticket.complete}`, {})
}

/** Uploads so many bytes by tus: one request that appends. */
export async function uploadByTus(base: string, bytes: number): Promise<void> {
  const resumable = { 'tus-resumable': '1.0.0' }
  const created = await fetch(`${base}/uploads`, {
    method: 'POST',
    headers: { ...resumable, 'upload-length': String(bytes) },
  })
  const location = new URL(created.headers.get('location')!, base).href
  const headers = { ...resumable, 'upload-offset': '0', 'content-type': 'application/offset+octet-stream' }
  await sendBytes(location, { method: 'PATCH', headers, bytes })
}

async function ask(url: string, body: object): Promise<unknown> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  if (response.ok) return response.json()
  throw new Error(`POST ${url} answered ${response.status}: ${await response.text()}`)
}
