import { Parser } from 'pg-protocol/dist/parser.js'

/** Parses one whole message, given the bounds of its body, into the object that `pg-protocol` makes of it. */
export function parseMessage(chunk: Buffer, start: number, end: number): unknown {
  let parsed: unknown
  new Parser().parse(chunk.subarray(start - 5, end), (message) => {
    parsed = message
  })
  return parsed
}
