import { mkdtemp, rm } from 'node:fs/promises'
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import { onTestFinished } from 'vitest'
import { openFastify, answerWithProblems } from '../../../../src/app/open-fastify.ts'
import type { FileStore } from '../../../../src/files/index.ts'
import { diskStore } from '../../../../src/files/drivers/disk/disk-store.ts'
import { plimsoll, type PlimsollOptions } from '../../../../src/http/index.ts'

/** A store in a folder of the test's own. */
export async function openStore(): Promise<FileStore & { readonly folder: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'plimsoll-files-'))
  const store = diskStore({ folder })
  onTestFinished(async () => {
    await store.close()
    await rm(folder, { recursive: true, force: true })
  })
  return Object.assign(store, { folder })
}

/** A server that answers with problems, whose routes are added by `add`. */
export async function listen(
  add: (fastify: FastifyInstance) => void | Promise<void>,
  options: PlimsollOptions = {},
): Promise<{ readonly url: string; readonly fastify: FastifyInstance }> {
  const fastify = openFastify({})
  onTestFinished(() => fastify.close())
  await fastify.register(plimsoll, options)
  answerWithProblems(fastify)
  await add(fastify)
  await fastify.listen({ port: 0, host: '127.0.0.1' })
  return { url: `http://127.0.0.1:${(fastify.server.address() as AddressInfo).port}`, fastify }
}

/** What a server answers. */
export interface RawAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/** Asks with a path that goes out as it is written: `fetch` would put it in order first. */
export function ask(
  url: string,
  path: string,
  {
    method = 'GET',
    headers = {},
  }: { readonly method?: string; readonly headers?: Readonly<Record<string, string>> } = {},
): Promise<RawAnswer> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    const asked = httpRequest(
      { hostname, port, path, method, headers, agent: false, maxHeaderSize: 65_536 },
      (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () =>
          resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(chunks) }),
        )
      },
    )
    asked.on('error', reject)
    asked.end()
  })
}

/** Bytes that tell where they are. */
export function pattern(size: number): Buffer {
  const bytes = Buffer.alloc(size)
  for (let at = 0; at + 4 <= size; at += 4) bytes.writeUInt32BE(at, at)
  return bytes
}
