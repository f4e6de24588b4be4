import { jobId } from '../job-id.ts'
import type { NewJob } from '../contract.ts'

type Texts = readonly (string | null)[]

/** A step among the others of its workflow. */
export interface StepPlace {
  readonly flow: string
  readonly step: number
  /** What it is in; nothing for the outermost. */
  readonly inside: 'chain' | 'group' | undefined
  readonly parent: number | undefined
  readonly position: number
}

/** A step that has ended well. */
export interface EndedStep extends StepPlace {
  /** JSON; undefined for nothing. */
  readonly output: string | undefined
}

/** A step with what has to be known to begin it. */
export interface StepRow extends StepPlace {
  readonly kind: 'job' | 'chain' | 'group'
  /** The id of the job that it was begun with. */
  readonly job: string | undefined
  readonly name: string
  readonly version: number
  readonly queue: string
  readonly priority: number
  readonly limit: string | undefined
  /** True when it has an input of its own. */
  readonly given: boolean
  readonly input: string | undefined
  readonly tenant: string
  readonly owner: string | undefined
}

/** One group of one workflow. */
export interface GroupRef {
  readonly flow: string
  readonly step: number
}

/** What the statements call `ended`. */
export function toEnded([flow, step, inside, parent, position, output]: Texts): EndedStep {
  return { ...toPlace([flow!, step!, inside!, parent!, position!]), output: output ?? undefined }
}

/** What the statements call `begin`. */
export function toStepRow(texts: Texts): StepRow {
  const [flow, step, kind, inside, parent, position, job, name, version, queue, priority, limit, given, input] = texts
  const [tenant, owner] = texts.slice(14)
  return {
    ...toPlace([flow!, step!, inside!, parent!, position!]),
    kind: kind as StepRow['kind'],
    job: job ?? undefined,
    name: name!,
    version: Number(version),
    queue: queue!,
    priority: Number(priority),
    limit: limit ?? undefined,
    given: given === 't',
    input: input ?? undefined,
    tenant: tenant!,
    owner: owner ?? undefined,
  }
}

/** The job of a step: a new one, or the same once more when it was lost. */
export function toJob(row: StepRow, { id = jobId(), input }: { readonly id?: string; readonly input: string }): NewJob {
  const { flow, step, name, version, queue, priority, limit, tenant, owner } = row
  return {
    id,
    name,
    version,
    queue,
    priority,
    tenant,
    input,
    delayMs: 0,
    unique: undefined,
    limit,
    owner,
    trace: undefined,
    step: `${flow}/${step}`,
  }
}

/** What a job says it is the step of. */
export function readStep(step: string): GroupRef {
  const [flow, number] = step.split('/') as [string, string]
  return { flow, step: Number(number) }
}

function toPlace([flow, step, inside, parent, position]: Texts): StepPlace {
  return {
    flow: flow!,
    step: Number(step),
    inside: (inside as StepPlace['inside'] | null) ?? undefined,
    parent: parent === null || parent === undefined ? undefined : Number(parent),
    position: Number(position),
  }
}
