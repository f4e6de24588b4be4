// One contestant in a process of its own, so that no other library shapes the code they share.
import { setTimeout as sleep } from 'node:timers/promises'
import type { JobContestant, JobInput, JobOpenOptions } from '../../contestants/jobs/contestant.ts'
import { loadJobContestant } from '../../contestants/jobs/registry.ts'
import { startCpuProfile } from '../../harness/cpu-profile.ts'
import type { Round } from '../../harness/protocol.ts'
import { serveWorker } from '../../harness/worker.ts'
import type { Drained, JobRequest } from './protocol.ts'

const [name, profileFile] = process.argv.slice(2)
const open = await loadJobContestant(name!)
const fillBatch = 1000
/** How long the first job may take to begin. */
const patienceMs = 20_000
let contestant: JobContestant
let onRun: (input: JobInput) => void = () => {}
let next = 0
let endProfile: (() => Promise<void>) | undefined

const now = (): number => performance.timeOrigin + performance.now()
const inputs = (count: number): JobInput[] => Array.from({ length: count }, () => ({ n: next++, at: now() }))
const cpuUs = (): number => {
  const { user, system } = process.cpuUsage()
  return user + system
}

async function enter(options: Omit<JobOpenOptions, 'onRun'>): Promise<void> {
  const { workMs } = options
  contestant = await open({
    ...options,
    onRun: (input) => {
      onRun(input)
      return workMs > 0 ? sleep(workMs) : undefined
    },
  })
}

async function fill(count: number): Promise<void> {
  for (let left = count; left > 0; left -= fillBatch) await contestant.add(inputs(Math.min(left, fillBatch)))
}

async function add({ together, inTransaction, durationMs }: Extract<JobRequest, { type: 'add' }>): Promise<Round> {
  const before = cpuUs()
  const began = performance.now()
  const latencies: number[] = []
  let ops = 0
  do {
    const start = performance.now()
    await (inTransaction ? contestant.addInTransaction!(inputs(together)) : contestant.add(inputs(together)))
    latencies.push(performance.now() - start)
    ops += together
  } while (performance.now() - began < durationMs)
  const elapsedMs = performance.now() - began
  return { ops, elapsedMs, latenciesMs: Float64Array.from(latencies), nodeCpuUs: cpuUs() - before }
}

async function drain(durationMs: number): Promise<Drained> {
  const ran: number[] = []
  const begun = Promise.withResolvers<void>()
  let [first, last] = [0, 0]
  onRun = ({ n }) => {
    last = now()
    if (ran.length === 0) {
      first = last
      begun.resolve()
    }
    ran.push(n)
  }
  await contestant.start()
  // Beside another process there may be nothing left to do.
  await Promise.race([begun.promise, sleep(patienceMs)])
  const before = cpuUs()
  await sleep(durationMs)
  const nodeCpuUs = cpuUs() - before
  await contestant.stop()
  return { ran: Float64Array.from(ran), first, last, nodeCpuUs }
}

async function startLatency(durationMs: number): Promise<Round> {
  let begun = Promise.withResolvers<number>()
  onRun = ({ at }) => begun.resolve(now() - at)
  await contestant.start()
  await sleep(500)
  const before = cpuUs()
  const began = performance.now()
  const latencies: number[] = []
  do {
    begun = Promise.withResolvers<number>()
    await contestant.add(inputs(1))
    latencies.push(await begun.promise)
    // Idle again.
    await sleep(5)
  } while (performance.now() - began < durationMs)
  const elapsedMs = performance.now() - began
  const nodeCpuUs = cpuUs() - before
  await contestant.stop()
  return { ops: latencies.length, elapsedMs, latenciesMs: Float64Array.from(latencies), nodeCpuUs }
}

serveWorker<JobRequest>(async (request) => {
  switch (request.type) {
    case 'open':
      return enter(request.options)
    case 'fill':
      return fill(request.count)
    case 'add':
      return add(request)
    case 'drain':
      if (profileFile !== undefined) endProfile ??= await startCpuProfile(profileFile)
      return drain(request.durationMs)
    case 'start-latency':
      return startLatency(request.durationMs)
    case 'clear':
      return contestant.clear()
    case 'close':
      await endProfile?.()
      return contestant.close()
  }
})
