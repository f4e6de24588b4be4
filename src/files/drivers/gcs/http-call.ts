import { request as requestPlain, Agent as PlainAgent, type IncomingMessage, type RequestOptions } from 'node:http'
import { request as requestTls, Agent as TlsAgent } from 'node:https'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { gathered } from '../../file-body.ts'

/** One HTTP request. */
export interface HttpCall {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE'
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  /** Bytes, or a stream of them, whose length is in the headers. */
  readonly body?: Buffer | AsyncIterable<Buffer> | undefined
  /** Ends it, also while its answer is read. */
  readonly signal: AbortSignal
}

const sockets = { keepAlive: true, maxSockets: 256 }

/** Connections that are kept for the next requests. */
export class HttpCaller {
  readonly #plain = new PlainAgent(sockets)
  readonly #tls = new TlsAgent(sockets)

  /** Resolves when the head of the answer is there. Nothing is decoded and no redirection followed. */
  async send({ method, url, headers, body, signal }: HttpCall): Promise<IncomingMessage> {
    signal.throwIfAborted()
    const isPlain = url.protocol === 'http:'
    const length = body === undefined || Buffer.isBuffer(body) ? { 'content-length': String(body?.length ?? 0) } : {}
    const options: RequestOptions = {
      method,
      headers: { ...headers, ...length },
      agent: isPlain ? this.#plain : this.#tls,
      signal,
    }
    const sent = isPlain ? requestPlain(url, options) : requestTls(url, options)
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      sent.once('response', resolve).once('error', reject)
    })
    if (body === undefined || Buffer.isBuffer(body)) {
      sent.end(body)
      return answered
    }
    // When the body fails, the request is cut; when the answer comes first, nobody waits for the body.
    const written = pipeline(Readable.from(body), sent)
    const failed = written.then(
      () => answered,
      (error: unknown) => Promise.reject(error as Error),
    )
    answered.catch(() => {})
    failed.catch(() => {})
    return Promise.race([answered, failed])
  }

  close(): void {
    this.#plain.destroy()
    this.#tls.destroy()
  }
}

/** All of a short answer. */
export async function textOf(answer: IncomingMessage): Promise<string> {
  return (await gathered(answer)).toString()
}
