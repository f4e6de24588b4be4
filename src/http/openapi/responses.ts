import type { JsonSchema } from './field-schema.ts'

/** The schema of the `page` of a list. */
export const pageSchema: JsonSchema = {
  type: 'object',
  description: 'Where the page lies: cursors, or numbers when `page` was given; null at the ends.',
  required: ['size', 'next', 'previous'],
  properties: {
    size: { type: 'integer', minimum: 1 },
    next: { type: ['string', 'integer', 'null'] },
    previous: { type: ['string', 'integer', 'null'] },
    total: { type: 'integer', minimum: 0, description: 'The rows of all pages; only when `total` was given.' },
  },
}

/** The schema of a problem document (RFC 9457). */
export const problemSchema: JsonSchema = {
  type: 'object',
  required: ['type', 'title', 'status'],
  properties: {
    type: { type: 'string', format: 'uri-reference' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    code: { type: 'string', description: 'Stable: a program can rely on it.' },
    parameter: { type: 'string', description: 'The parameter to correct.' },
    allowed: { type: 'array', items: { type: 'string' }, description: 'What the refused name could have been.' },
  },
}

/** Headers that answers share. */
export const sharedHeaders: Readonly<Record<string, unknown>> = {
  ETag: { description: 'Send it back as If-None-Match: 304 says that nothing changed.', schema: { type: 'string' } },
  Link: {
    description:
      'RFC 8288: `next`, `prev`, `first`, and `last` for numbered pages with a total, relative to the URL of the request. Left out where they would be too long; the cursors are in the body too.',
    schema: { type: 'string' },
  },
  CacheControl: {
    description: 'How long the answer may be used without asking again, and whether by the client alone.',
    schema: { type: 'string' },
  },
  Vary: { description: 'The headers of the request that the answer depends on.', schema: { type: 'string' } },
  ContentEncoding: {
    description: 'How the body is compressed, as far as Accept-Encoding has it; small ones are not.',
    schema: { type: 'string', enum: ['br', 'zstd', 'gzip'] },
  },
}

/** Answers that operations share. */
export const responses: Readonly<Record<string, unknown>> = {
  NotModified: {
    description: 'The client has the answer already.',
    headers: {
      ETag: { $ref: '#/components/headers/ETag' },
      'Cache-Control': { $ref: '#/components/headers/CacheControl' },
    },
  },
  BadRequest: problemAnswer('A parameter is wrong; the problem says which one, and what it could be.'),
  NotFound: problemAnswer('There is no such row.'),
  MethodNotAllowed: {
    ...problemAnswer('The path was asked with another method than there are.'),
    headers: { Allow: { description: 'The methods that there are.', schema: { type: 'string' } } },
  },
  NotAcceptable: problemAnswer('Accept-Encoding leaves no way to answer.'),
  Failed: problemAnswer('Something went wrong in the service.'),
  Unavailable: {
    ...problemAnswer(
      'The service cannot answer at the moment: it is busy, is closing, or does not reach its database.',
    ),
    headers: { 'Retry-After': { description: 'Seconds to wait.', schema: { type: 'integer' } } },
  },
  TimedOut: problemAnswer('The answer took too long to find.'),
}

/** An answer that is a problem document. */
export function problemAnswer(description: string): Readonly<Record<string, unknown>> {
  return { description, content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } } }
}
