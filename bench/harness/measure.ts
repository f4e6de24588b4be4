import { processTreeCpuUs } from './process-cpu.ts'
import type { LoadRequest, Round } from './protocol.ts'
import { median, percentile, significant } from './stats.ts'
import type { Worker } from './worker.ts'

/** What is stored of one contestant on one workload; CPU times are microseconds per operation. */
export interface Measurement {
  /** Operations per second as a multiple of the reference's: the median over the rounds' own ratios. */
  readonly ratio: number
  readonly opsPerS: number
  /** Absent where it is not one operation after the other that is timed. */
  readonly p50Ms?: number
  readonly p99Ms?: number
  readonly nodeCpuUs: number
  /** 0 when there is no server, or it is not on this machine. */
  readonly serverCpuUs: number
  /** How often values were loaded, where that is the question: the most of all rounds. */
  readonly loads?: number
  /** Keys that were left with an old value once everything had come to rest. */
  readonly stale?: number
  /** Reads that gave an older value than the same process had written, and invalidated, before they began. */
  readonly outdated?: number
  /** The most memory that the server's process held, in MB, where that is the question. */
  readonly rssMb?: number
}

/** One contestant as the rounds drive it. */
export interface Runner {
  readonly name: string
  /** The server that works for it, or several; undefined when there is none, or it is not on this machine. */
  readonly serverPid: number | readonly number[] | undefined
  run(durationMs: number): Promise<Round>
}

interface Sample extends Round {
  readonly serverCpuUs: number
}

export interface RoundsOptions {
  readonly reference: string
  readonly roundMs: number
  /** How long each runs before anything is measured, so that its code is compiled. Default `roundMs`. */
  readonly warmUpMs?: number
  /** How long all rounds of the workload may take together; three are run in any case. */
  readonly budgetMs: number
}

/**
 * Runs the contestants in turns, A B C, B C A, C A B …, after one unmeasured turn, until the budget is spent. Turns are
 * short, so that whatever else the machine does falls on all alike.
 */
export async function measureRounds(
  runners: readonly Runner[],
  { reference, roundMs, warmUpMs = roundMs, budgetMs }: RoundsOptions,
): Promise<Record<string, Measurement>> {
  for (const runner of runners) await runner.run(warmUpMs)
  const samples = new Map<string, Sample[]>(runners.map(({ name }) => [name, []]))
  const deadline = Date.now() + budgetMs
  for (let turn = 0; turn < 3 || Date.now() < deadline; turn++) {
    for (const offset of runners.keys()) {
      const runner = runners[(turn + offset) % runners.length]!
      const before = processTreeCpuUs(runner.serverPid)
      const round = await runner.run(roundMs)
      samples.get(runner.name)!.push({ ...round, serverCpuUs: processTreeCpuUs(runner.serverPid) - before })
    }
  }
  const base = samples.get(reference)
  return Object.fromEntries([...samples].map(([name, rounds]) => [name, summarize(rounds, base ?? rounds)]))
}

const opsPerS = (round: Round): number => (round.ops * 1000) / round.elapsedMs

function summarize(rounds: readonly Sample[], base: readonly Sample[]): Measurement {
  const ops = rounds.reduce((sum, round) => sum + round.ops, 0)
  const latencies = Float64Array.from(rounds.flatMap((round) => [...round.latenciesMs]))
  const perOp = (total: number): number => significant(total / ops)
  return {
    ratio: significant(median(rounds.map((round, turn) => opsPerS(round) / opsPerS(base[turn]!)))),
    opsPerS: significant(median(rounds.map(opsPerS))),
    ...(latencies.length > 0 && {
      p50Ms: significant(percentile(latencies, 0.5)),
      p99Ms: significant(percentile(latencies, 0.99)),
    }),
    nodeCpuUs: perOp(rounds.reduce((sum, round) => sum + round.nodeCpuUs, 0)),
    serverCpuUs: perOp(rounds.reduce((sum, round) => sum + round.serverCpuUs, 0)),
  }
}

/** Asks the load generator for a round, and the contestant's process for the CPU time that it took. */
export async function runOverHttp(
  contestant: Pick<Worker<{ readonly type: 'cpu' }>, 'ask'>,
  load: Worker<LoadRequest>,
  request: LoadRequest,
): Promise<Round> {
  const before = (await contestant.ask({ type: 'cpu' })) as number
  const round = (await load.ask(request)) as Omit<Round, 'nodeCpuUs'>
  return { ...round, nodeCpuUs: ((await contestant.ask({ type: 'cpu' })) as number) - before }
}
