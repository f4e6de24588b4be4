import { randomUUID } from 'node:crypto'

/** The parts of Fastify's that are needed here. */
type Request = { readonly headers: { readonly cookie?: string | undefined } }
type Reply = { header(name: string, value: string): unknown }

const cookie = 'visitor'
const uuid = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/

/** Who asks: there are no accounts, but a browser knows itself again by a cookie. Undefined for one that has none yet. */
export function visitorOf({ headers }: Request): string | undefined {
  const pairs = (headers.cookie ?? '').split(';').map((pair) => pair.trim().split('='))
  const value = pairs.find(([name]) => name === cookie)?.[1]
  return value !== undefined && uuid.test(value) ? value : undefined
}

/** As {@link visitorOf}; a browser without the cookie is given one, and one that has it keeps it for another year. */
export function greetVisitor(request: Request, reply: Reply): string {
  const visitor = visitorOf(request) ?? randomUUID()
  // For files of his too, which are not under `/api`.
  reply.header('set-cookie', `${cookie}=${visitor}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Strict`)
  return visitor
}
