import { readTexts, type Transaction } from '../../postgres/index.ts'
import type { NewJob } from '../contract.ts'
import { mostInputBytes, type Enqueuer } from '../enqueuer.ts'
import { toEnded, toJob, toStepRow, type EndedStep, type GroupRef, type StepRow } from './flow-rows.ts'
import {
  beginSteps,
  endChains,
  endFlows,
  endGroups,
  failStep,
  findGiven,
  findInside,
  findNext,
  mostGroupBytes,
} from './statements.ts'

/** A step that begins, with what the one before has given. */
interface Beginning {
  readonly row: StepRow
  readonly value: string | undefined
}

/** How many steps are begun at once. */
const mostAtOnce = 1000

/** Moves workflows on within one transaction: stores what has ended, and enqueues what follows. */
export class FlowMoves {
  readonly #transaction: Transaction
  readonly #enqueuer: Enqueuer
  /** Groups of which a step has ended. Whether it was the last one is known only when this is committed. */
  readonly groups: GroupRef[] = []
  /** Workflows that somebody waits for and that have ended. */
  readonly told = new Set<string>()

  constructor(transaction: Transaction, enqueuer: Enqueuer) {
    this.#transaction = transaction
    this.#enqueuer = enqueuer
  }

  /** These have ended: what is behind them begins, and what they were the last of has ended too. */
  async ended(steps: readonly EndedStep[]): Promise<void> {
    let wave = steps
    while (wave.length > 0) {
      const whole = wave.filter(({ inside }) => inside === undefined)
      const chained = wave.filter(({ inside }) => inside === 'chain')
      for (const { flow, parent, inside } of wave) if (inside === 'group') this.groups.push({ flow, step: parent! })
      if (whole.length > 0) await this.#endFlows(whole)
      wave = chained.length > 0 ? await this.#goOn(chained) : []
    }
  }

  /** Ends groups of which nothing is open. */
  async endGroups(groups: readonly GroupRef[]): Promise<void> {
    if (groups.length > 0) await this.ended(await this.#endGroups(groups))
  }

  /**
   * Enqueues steps of a workflow once more, as new jobs with the same input; resolves to how many. What was never begun, since it was
   * given too much, has no input yet: it is refused again as long as that is too much.
   */
  async again(rows: readonly StepRow[]): Promise<number> {
    const begun = rows.filter(({ input }) => input !== undefined)
    const fitting = await this.#giveAgain(rows.filter(({ input }) => input === undefined))
    await this.#beginJobs([...begun.map((row) => ({ row, value: row.input })), ...fitting])
    return begun.length + fitting.length
  }

  /** What steps that were refused are given; those that it is still too much for are refused. */
  async #giveAgain(refused: readonly StepRow[]): Promise<Beginning[]> {
    const [first] = refused
    if (first === undefined) return []
    const values = [first.flow, refused.map(({ step }) => step), mostInputBytes]
    const given = new Map((await readTexts(this.#transaction, findGiven, values)).map((row) => [Number(row[0]), row]))
    const fitting: Beginning[] = []
    for (const row of refused) {
      const [, value, bytes] = given.get(row.step)!
      if (Number(bytes) > mostInputBytes) await this.#refuse(row, Number(bytes))
      else fitting.push({ row, value: value ?? undefined })
    }
    return fitting
  }

  async #endFlows(steps: readonly EndedStep[]): Promise<void> {
    const values = [steps.map(({ flow }) => flow), steps.map(({ output }) => output ?? null)]
    for (const [flow, watched] of await readTexts(this.#transaction, endFlows, values)) {
      if (watched === 't') this.told.add(flow!)
    }
  }

  async #endGroups(groups: readonly GroupRef[]): Promise<EndedStep[]> {
    const error = {
      name: 'RangeError',
      message: `What its steps have given has more than ${mostGroupBytes} bytes as JSON; let them keep it in storage, and give its name.`,
    }
    const values = [groups.map(({ flow }) => flow), groups.map(({ step }) => step), JSON.stringify(error)]
    const rows = await readTexts(this.#transaction, endGroups, values)
    for (const [flow, , , , , , state, watched] of rows) if (state !== 'done' && watched === 't') this.told.add(flow!)
    return rows.filter(([, , , , , , state]) => state === 'done').map(toEnded)
  }

  /** Begins the next steps of chains; resolves to what has ended with that. */
  async #goOn(steps: readonly EndedStep[]): Promise<readonly EndedStep[]> {
    const rows = await readTexts(this.#transaction, findNext, [
      steps.map(({ flow }) => flow),
      steps.map(({ parent }) => parent!),
      steps.map(({ position }) => position + 1),
    ])
    const next = new Map(rows.map(toStepRow).map((row) => [`${row.flow}/${row.parent}`, row]))
    const beginning: Beginning[] = []
    const last: EndedStep[] = []
    for (const step of steps) {
      const row = next.get(`${step.flow}/${step.parent}`)
      if (row === undefined) last.push(step)
      else beginning.push({ row, value: step.output })
    }
    const ended = await this.#begin(beginning)
    if (last.length === 0) return ended
    const values = [
      last.map(({ flow }) => flow),
      last.map(({ parent }) => parent!),
      last.map(({ output }) => output ?? null),
    ]
    return [...ended, ...(await readTexts(this.#transaction, endChains, values)).map(toEnded)]
  }

  /** Begins steps with all that begins in them; resolves to what has ended with that: groups of nothing. */
  async #begin(steps: readonly Beginning[]): Promise<EndedStep[]> {
    await this.#beginJobs(steps.filter(({ row }) => row.kind === 'job'))
    const ended: EndedStep[] = []
    for (const { row, value } of steps) {
      if (row.kind === 'job') continue
      await this.#mark([{ row, job: null, input: null }])
      ended.push(...(await this.#beginInside(row, value)))
    }
    return ended
  }

  async #beginInside({ flow, step, kind }: StepRow, value: string | undefined): Promise<EndedStep[]> {
    const ended: EndedStep[] = []
    for (let position = 0; ; position += mostAtOnce) {
      const most = kind === 'chain' ? 1 : mostAtOnce
      const rows = (await readTexts(this.#transaction, findInside, [flow, step, position, most])).map(toStepRow)
      if (position === 0 && rows.length === 0) return this.#endGroups([{ flow, step }])
      ended.push(...(await this.#begin(rows.map((row) => ({ row, value })))))
      if (rows.length < mostAtOnce) return ended
    }
  }

  async #beginJobs(steps: readonly Beginning[]): Promise<void> {
    const fitting: { readonly row: StepRow; readonly job: NewJob }[] = []
    for (const { row, value } of steps) {
      const input = (row.given ? row.input : value) ?? 'null'
      if (Buffer.byteLength(input) > mostInputBytes) await this.#refuse(row, Buffer.byteLength(input))
      else fitting.push({ row, job: toJob(row, { input }) })
    }
    if (fitting.length === 0) return
    await this.#mark(fitting.map(({ row, job: { id, input } }) => ({ row, job: id, input })))
    await this.#enqueuer.store(
      fitting.map(({ job }) => job),
      this.#transaction,
    )
  }

  async #mark(
    steps: readonly { readonly row: StepRow; readonly job: string | null; readonly input: string | null }[],
  ): Promise<void> {
    await readTexts(this.#transaction, beginSteps, [
      steps.map(({ row }) => row.flow),
      steps.map(({ row }) => row.step),
      steps.map(({ job }) => job),
      steps.map(({ input }) => input),
    ])
  }

  async #refuse({ flow, step, name }: StepRow, bytes: number): Promise<void> {
    const error = {
      name: 'PlimsollError',
      code: 'PLIMSOLL_JOB_INPUT_INVALID',
      message: `What the step '${name}' is given has ${bytes} bytes as JSON, of which ${mostInputBytes} are allowed; let the steps before keep it in storage, and give its name.`,
    }
    const [row] = await readTexts(this.#transaction, failStep, [flow, step, JSON.stringify(error)])
    if (row?.[0] === 't') this.told.add(flow)
  }
}
