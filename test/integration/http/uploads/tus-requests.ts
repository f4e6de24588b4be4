import { expect } from 'vitest'
import type { UploadService } from './upload-service.ts'

/** The header of a client that speaks tus. */
export const resumable = { 'tus-resumable': '1.0.0' }
const appended = { ...resumable, 'content-type': 'application/offset+octet-stream' }

/** Begins an upload by hand; resolves to its address. */
export async function startUpload(
  service: Pick<UploadService, 'url'>,
  size: number,
  headers: Readonly<Record<string, string>> = {},
): Promise<string> {
  const response = await fetch(`${service.url}/uploads`, {
    method: 'POST',
    headers: {
      ...resumable,
      'upload-length': String(size),
      'upload-metadata': `filename ${btoa('a.bin')}`,
      ...headers,
    },
  })
  expect(response.status).toBe(201)
  return `${service.url}${response.headers.get('location')}`
}

/** Appends bytes to an upload. */
export function append(
  url: string,
  offset: number,
  body: Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  return fetch(url, {
    method: 'PATCH',
    headers: { ...appended, 'upload-offset': String(offset), ...headers },
    body: new Uint8Array(body),
  })
}

/** How much has come; of what is not there, the status below zero. */
export async function offsetOf(url: string): Promise<number> {
  const response = await fetch(url, { method: 'HEAD', headers: resumable })
  return response.status === 200 ? Number(response.headers.get('upload-offset')) : -response.status
}

/** Begins pieces of an upload, and sends their bytes; resolves to their addresses. */
export async function createPieces(service: Pick<UploadService, 'url'>, texts: readonly string[]): Promise<string[]> {
  const pieces: string[] = []
  for (const text of texts) {
    const url = await startUpload(service, text.length, { 'upload-concat': 'partial' })
    expect((await append(url, 0, Buffer.from(text))).status).toBe(204)
    pieces.push(url)
  }
  return pieces
}

/** Makes one upload of others. */
export function joinPieces({ url }: Pick<UploadService, 'url'>, pieces: readonly string[]): Promise<Response> {
  return fetch(`${url}/uploads`, {
    method: 'POST',
    headers: { ...resumable, 'upload-concat': `final;${pieces.join(' ')}` },
  })
}
