import type { LeasedJob, NewJob } from '../../contract.ts'

/** A message for the broker's queue of a queue of jobs. */
export interface Message {
  /** The jobs that go in it, one at least. */
  readonly ids: readonly string[]
  readonly queue: string
  readonly content: string
}

/** So many jobs go in one message at most, and about so many characters. */
const most = { jobs: 8, characters: 16_000 }
/** What is enqueued together is spread over so many messages before any has two jobs: they may be for many workers. */
const spread = 32

/** Puts jobs into messages. A broker is paid by the message, not by the byte: what is enqueued together may go together. */
export function toMessages(jobs: readonly NewJob[]): Message[] {
  const together = Math.min(most.jobs, Math.ceil(jobs.length / spread))
  const messages: Message[] = []
  for (const [queue, ofQueue] of Map.groupBy(jobs, (job) => job.queue)) {
    let ids: string[] = []
    let contents: string[] = []
    let characters = 0
    const close = (): void => {
      if (ids.length > 0) messages.push({ ids, queue, content: `[${contents.join()}]` })
      ids = []
      contents = []
      characters = 0
    }
    for (const job of ofQueue) {
      const content = toContent(job)
      if (ids.length === together || characters + content.length > most.characters) close()
      ids.push(job.id)
      contents.push(content)
      characters += content.length
    }
    close()
  }
  return messages
}

/** What a message says of a job: all that is needed to run it. */
function toContent({ id, name, version, queue, owner, trace, step, input }: NewJob): string {
  return JSON.stringify([id, name, version, queue, owner ?? null, trace ?? null, step ?? null, input])
}

type Told = [
  id: string,
  name: string,
  version: number,
  queue: string,
  owner: string | null,
  trace: string | null,
  step: string | null,
  input: string,
]

/** The jobs of a message, which are run for the first time. */
export function readContent(content: string): LeasedJob[] {
  return (JSON.parse(content) as Told[]).map(toJob)
}

function toJob([id, name, version, queue, owner, trace, step, input]: Told): LeasedJob {
  return {
    id,
    name,
    version,
    queue,
    tenant: '',
    input,
    attempt: 1,
    deaths: 0,
    owner: owner ?? undefined,
    trace: trace ?? undefined,
    step: step ?? undefined,
    // The first 48 bits of a UUID of version 7.
    createdAt: Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16),
  }
}

/** The names that the queues of a database have at the broker. */
export interface QueueNames {
  of(queue: string): string
  /** Of what the broker gives up delivering. */
  readonly dropped: string
}

/** Whoever shares a broker has a namespace, or a database, of their own. */
export function queueNames(namespace: string, ledger: string): QueueNames {
  return { of: (queue) => `${namespace}.${ledger}.jobs.${queue}`, dropped: `${namespace}.${ledger}.dropped` }
}

/** The jobs of a message; of what is none of ours, none, with a warning. */
export function readOurs(content: string): readonly LeasedJob[] {
  try {
    return readContent(content)
  } catch (error) {
    process.emitWarning(
      `A message that no job of ours can have sent was taken off RabbitMQ: ${String(error)}`,
      'PlimsollWarning',
    )
    return []
  }
}
