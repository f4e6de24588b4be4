import { Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { isPlimsollError } from '../../core/errors.ts'
import { randomToken } from '../../core/random-token.ts'
import type { StoredObject } from '../../files/contract.ts'
import { problemOf, sendProblem } from '../problem.ts'
import { parseRanges, type ByteRange } from './byte-ranges.ts'
import { openSource, type FileSource, type OpenSource } from './open-source.ts'
import { checkPreconditions, rangeHolds } from './preconditions.ts'

/** What a file is answered with. */
export interface FileAnswer {
  readonly object: StoredObject
  /** The media type that the answer says. */
  readonly type: string
  /** Headers of answers with a body, and of 304. */
  readonly headers: Readonly<Record<string, string>>
}

/**
 * Answers a GET or HEAD with a file, or what is asked for of it: RFC 9110's preconditions, then its ranges, of which several come as
 * multipart/byteranges. Bytes leave as the client takes them; when it is gone, nothing more is read. A file that is replaced meanwhile is
 * asked for once more. False, and nothing is answered, when there is none.
 *
 * `describe` says what the answer is to say of it.
 */
export async function answerFile(
  request: FastifyRequest,
  reply: FastifyReply,
  {
    store,
    key,
    describe,
  }: {
    readonly store: FileSource
    readonly key: string
    readonly describe: (object: StoredObject) => FileAnswer | Promise<FileAnswer>
  },
): Promise<boolean> {
  const signal = untilGone(reply)
  for (let attempt = 1; ; attempt++) {
    const source = await openSource(store, key)
    if (source === undefined) return false
    try {
      // Nothing here returns the reply: to await that is to wait until all of it is sent.
      await answer(request, reply, { source, answer: await describe(source.object), signal })
      return true
    } catch (error) {
      source.close()
      // Nobody is there to be told.
      if (signal.aborted) return true
      if (isPlimsollError(error, 'PLIMSOLL_FILE_NOT_FOUND')) return false
      if (attempt === 3 || !isPlimsollError(error, 'PLIMSOLL_FILE_CHANGED')) throw error
    }
  }
}

async function answer(
  request: FastifyRequest,
  reply: FastifyReply,
  {
    source,
    answer,
    signal,
  }: { readonly source: OpenSource; readonly answer: FileAnswer; readonly signal: AbortSignal },
): Promise<void> {
  const { object, type } = answer
  const { etag, size } = object
  const condition = checkPreconditions(request.headers, object)
  const asked = request.headers.range
  const whole = request.method === 'HEAD' || asked === undefined || !rangeHolds(request.headers, etag)
  const ranges = whole ? undefined : parseRanges(asked, size)
  if (condition !== undefined || request.method === 'HEAD' || ranges?.length === 0) {
    source.close()
    answerWithoutBytes(request, reply, { answer, condition })
    return
  }
  const body =
    ranges !== undefined && ranges.length > 1
      ? await joinedRanges(reply, { source, answer, ranges, signal })
      : await source.read(ranges?.[0], signal)
  // Fastify listens after all hooks have run, and what a hook makes of the body may not hear of its end at all.
  body.on('error', () => {}).once('close', () => source.close())
  if (ranges === undefined) reply.header('content-type', type).header('content-length', size)
  else reply.code(206)
  if (ranges?.length === 1) {
    const { first, last } = ranges[0]!
    reply
      .header('content-range', `bytes ${first}-${last}/${size}`)
      .header('content-type', type)
      .header('content-length', last - first + 1)
  }
  withHeaders(reply, answer).send(body)
}

function answerWithoutBytes(
  request: FastifyRequest,
  reply: FastifyReply,
  { answer, condition }: { readonly answer: FileAnswer; readonly condition: 304 | 412 | undefined },
): FastifyReply {
  const { object, type } = answer
  if (condition === 304) return withHeaders(reply, answer).code(304).send()
  if (condition === 412) return refuse(reply, 412, 'The file is not, or no longer, the one that the request names.')
  if (request.method === 'HEAD')
    return withHeaders(reply, answer).header('content-type', type).header('content-length', object.size).send()
  reply.header('content-range', `bytes */${object.size}`)
  return refuse(reply, 416, 'No such range is in the file, or there are too many of them.')
}

/** What is said of a file, and not of a problem with it: set when nothing can go wrong any more. */
function withHeaders(reply: FastifyReply, { object, headers }: FileAnswer): FastifyReply {
  return reply
    .headers(headers)
    .header('etag', object.etag)
    .header('last-modified', new Date(object.modifiedAt).toUTCString())
    .header('accept-ranges', 'bytes')
    .header('x-content-type-options', 'nosniff')
}

/** Aborts when the connection of an answer is closed, whether that was sent or not. */
export function untilGone(reply: FastifyReply): AbortSignal {
  const controller = new AbortController()
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) controller.abort()
  })
  return controller.signal
}

function refuse(reply: FastifyReply, status: 412 | 416, detail: string): FastifyReply {
  return sendProblem(reply.header('accept-ranges', 'bytes'), problemOf(status, detail))
}

/** Several ranges (RFC 9110, section 14.6). The first is opened before anything is sent: what is wrong with it is an answer still. */
async function joinedRanges(
  reply: FastifyReply,
  {
    source,
    answer: { object, type },
    ranges,
    signal,
  }: {
    readonly source: OpenSource
    readonly answer: FileAnswer
    readonly ranges: readonly ByteRange[]
    readonly signal: AbortSignal
  },
): Promise<Readable> {
  const boundary = randomToken()
  const heads = ranges.map(
    ({ first, last }) =>
      `\r\n--${boundary}\r\nContent-Type: ${type}\r\nContent-Range: bytes ${first}-${last}/${object.size}\r\n\r\n`,
  )
  const end = `\r\n--${boundary}--\r\n`
  const length = ranges.reduce((sum, { first, last }, at) => sum + heads[at]!.length + last - first + 1, end.length)
  const opened = await source.read(ranges[0], signal)
  async function* parts(): AsyncGenerator<Buffer> {
    for (const [at, range] of ranges.entries()) {
      yield Buffer.from(heads[at]!)
      yield* at === 0 ? opened : await source.read(range, signal)
    }
    yield Buffer.from(end)
  }
  const body = Readable.from(parts(), { objectMode: false })
  // A generator that was never begun closes nothing.
  body.once('close', () => opened.destroy())
  reply.header('content-type', `multipart/byteranges; boundary=${boundary}`).header('content-length', length)
  return body
}
