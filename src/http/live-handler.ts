import { answerJson } from './answer.ts'
import type { Handler, Reader } from './reading.ts'

/** The handler that reads the database for every request. `scoped`: what it answers depends on who asks. */
export function liveHandler(reader: Reader, { scoped }: { readonly scoped: boolean }): Handler {
  return async (request, reply) => {
    const reading = reader(request)
    const answer = await reading.load(reading.rows)
    if (answer === undefined) throw reading.missing()
    return answerJson(request, reply, { body: answer.body, link: reading.link(answer.marks), scoped })
  }
}
