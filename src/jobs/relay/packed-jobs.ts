import type { NewJob } from '../contract.ts'

/** The kind of effect that hands jobs on to an engine: its items are packs of jobs. */
export const relayKind = 'jobs.relay'
/** The kind of effect that cancels jobs which were not handed on yet when a transaction cancelled them: its items are their ids. */
export const cancelKind = 'jobs.cancel'

/** A pack has at most so many jobs, and about so many characters unless one job has more. */
const most = { jobs: 1000, characters: 4_000_000 }

/** Packs jobs together, since each pack is a row, and one call to the engine. */
export function packJobs(jobs: readonly NewJob[]): string[] {
  const packs: string[] = []
  let open: string[] = []
  let characters = 0
  const close = (): void => {
    if (open.length > 0) packs.push(`[${open.join()}]`)
    open = []
    characters = 0
  }
  for (const job of jobs) {
    const text = JSON.stringify({ ...job, relayed: true })
    if (open.length === most.jobs || characters + text.length > most.characters) close()
    open.push(text)
    characters += text.length
  }
  close()
  return packs
}

/** The jobs of a pack. */
export function unpackJobs(pack: string): NewJob[] {
  // What is undefined is left out by JSON.
  return (JSON.parse(pack) as NewJob[]).map((job) => ({
    ...job,
    unique: job.unique,
    limit: job.limit,
    owner: job.owner,
    trace: job.trace,
    step: job.step,
  }))
}
