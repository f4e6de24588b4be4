import type { LeasedJob, NewJob } from '../../contract.ts'

/** A message for a queue of the broker. */
export interface Message {
  readonly id: string
  /** As the broker names it. */
  readonly queue: string
  readonly content: string
}

/** What a job's message says: all that is needed to run it. */
export function toContent({ id, name, version, queue, owner, trace, step, input }: NewJob): string {
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

/** The job of a message, which is run for the first time. */
export function readContent(content: string): LeasedJob {
  const [id, name, version, queue, owner, trace, step, input] = JSON.parse(content) as Told
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
