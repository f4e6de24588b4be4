// One contestant in a process of its own, so that no other library shapes the code they share.
import type { CacheContestant } from '../../contestants/cache/contestant.ts'
import { loadCacheContestant } from '../../contestants/cache/registry.ts'
import { startCpuProfile } from '../../harness/cpu-profile.ts'
import { runClosedLoop } from '../../harness/closed-loop.ts'
import { runTightLoop } from '../../harness/tight-loop.ts'
import { serveWorker } from '../../harness/worker.ts'
import { readColdKey } from './cold-key-process.ts'
import { timeInvalidation } from './invalidation-process.ts'
import type { CacheRequest } from './protocol.ts'
import { Race } from './race-process.ts'
import { throughputSpecs, type ThroughputSpec } from './throughput-spec.ts'

const [name, profileFile] = process.argv.slice(2)
const open = await loadCacheContestant(name!)
let contestant: CacheContestant | undefined
let prepared: { readonly spec: ThroughputSpec; readonly operation: (sequence: number) => Promise<unknown> } | undefined
let race: Race | undefined
let loads = 0
let endProfile: (() => Promise<void>) | undefined

const profile = async (): Promise<void> => {
  if (profileFile !== undefined) endProfile ??= await startCpuProfile(profileFile)
}

const cpuUs = (): number => {
  const { user, system } = process.cpuUsage()
  return user + system
}

async function prepare(workload: string): Promise<void> {
  const spec = throughputSpecs.find(({ name }) => name === workload)!
  const operation = await spec.prepare(contestant!, (value) => async () => {
    loads++
    return value
  })
  prepared = { spec, operation }
  await profile()
}

async function run(durationMs: number): Promise<unknown> {
  const { spec, operation } = prepared!
  const { concurrency } = spec
  loads = 0
  const before = cpuUs()
  const round =
    concurrency === 'tight'
      ? await runTightLoop(operation, { durationMs })
      : await runClosedLoop(operation, { durationMs, concurrency })
  const nodeCpuUs = cpuUs() - before
  // Now and then one is too late for a busy machine; more than that would measure something else than the title says.
  if (spec.loads !== true && loads > round.ops / 1000) throw new Error(`${loads} of ${round.ops} reads were no hits`)
  return { ...round, nodeCpuUs }
}

serveWorker<CacheRequest>(async (request) => {
  switch (request.type) {
    case 'open':
      contestant = await open(request.options)
      return undefined
    case 'prepare':
      return prepare(request.workload)
    case 'run':
      return run(request.durationMs)
    case 'invalidate':
      await profile()
      return timeInvalidation(contestant!, request)
    case 'cold-key': {
      await profile()
      const before = cpuUs()
      const answer = await readColdKey(contestant!, request)
      return { ...answer, nodeCpuUs: cpuUs() - before }
    }
    case 'race': {
      await profile()
      const before = cpuUs()
      race = new Race(contestant!, request.postgresUrl)
      const answer = await race.run(request)
      return { ...answer, nodeCpuUs: cpuUs() - before }
    }
    case 'stale':
      return race!.staleKeys()
    case 'close':
      await endProfile?.()
      await race?.close()
      await contestant?.close()
      return undefined
  }
})
