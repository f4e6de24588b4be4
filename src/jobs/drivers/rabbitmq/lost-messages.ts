import { randomUUID } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import type { Postgres } from '../../../postgres/index.ts'
import type { Bulletin } from '../database/bulletin.ts'
import { handedInQueue } from './handed-jobs.ts'

/** What was ready a moment ago has come to whom it was sent by then. */
const arrivesMs = 1000
const answersMs = 2000
/** A question fits into a notification. */
const mostSought = 100

/** The parts of {@link LostMessages}. */
interface LostMessagesParts {
  readonly bulletin: Bulletin
  /** What was handed for so long has been published, or will not be any more. */
  readonly afterMs: number
  /** The queues that are read here. */
  readonly queues: ReadonlySet<string>
  /** Those of the jobs that are here. */
  readonly here: (ids: readonly string[]) => readonly string[]
  /** Has jobs wait in the tables. */
  readonly takeBack: (ids: readonly string[]) => Promise<void>
}

/** What is known of a question. */
interface Asked {
  readonly readers: Set<string>
  readonly found: Set<string>
}

/**
 * Finds jobs that have a row and no message: the process that enqueued them has died in between, and nobody was told that they are there.
 * When nothing is ready in a queue, what it was handed a while ago is with one of its readers, or nowhere; so all of them are asked. Where
 * one does not answer, because a job blocks its event loop, nothing is taken for lost: it may be that job.
 */
export class LostMessages {
  readonly #postgres: Postgres
  readonly #parts: LostMessagesParts
  readonly #self = randomUUID()
  readonly #asked = new Map<string, Asked>()
  readonly #looking = new Set<string>()
  #unread = (): void => {}
  #closed = false

  constructor(postgres: Postgres, parts: LostMessagesParts) {
    this.#postgres = postgres
    this.#parts = parts
  }

  /** Begins to answer. */
  open(): void {
    const { bulletin, queues, here } = this.#parts
    this.#unread = bulletin.read({
      sought: ({ id, queue, jobs }) => {
        if (queues.has(queue)) bulletin.found({ search: id, reader: this.#self, jobs: here(jobs) })
      },
      found: ({ search, reader, jobs }) => {
        const asked = this.#asked.get(search)
        asked?.readers.add(reader)
        for (const id of jobs) asked?.found.add(id)
      },
    })
  }

  /** Looks in a queue in which nothing was ready just now, and which so many read, this process among them. */
  async look(queue: string, readers: number): Promise<void> {
    if (this.#looking.has(queue)) return
    this.#looking.add(queue)
    try {
      await wait(arrivesMs, undefined, { ref: false })
      while (!this.#closed && (await this.#lookOnce(queue, readers)) === mostSought);
    } finally {
      this.#looking.delete(queue)
    }
  }

  close(): void {
    this.#closed = true
    this.#unread()
  }

  /** Resolves to how many were lost. */
  async #lookOnce(queue: string, readers: number): Promise<number> {
    const { bulletin, afterMs, here, takeBack } = this.#parts
    const handed = await handedInQueue(this.#postgres, queue, afterMs)
    const known = new Set(here(handed))
    const jobs = handed.filter((id) => !known.has(id)).slice(0, mostSought)
    if (jobs.length === 0) return 0
    const id = randomUUID()
    const asked: Asked = { readers: new Set(), found: new Set() }
    this.#asked.set(id, asked)
    bulletin.sought({ id, queue, jobs })
    await wait(answersMs, undefined, { ref: false })
    this.#asked.delete(id)
    if (this.#closed || asked.readers.size < readers) return 0
    const lost = jobs.filter((job) => !asked.found.has(job))
    await takeBack(lost)
    return lost.length
  }
}
