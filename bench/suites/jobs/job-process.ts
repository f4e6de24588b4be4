// One contestant in a process of its own, so that no other library shapes the code they share.
import { setTimeout as sleep } from 'node:timers/promises'
import type { JobContestant, JobInput } from '../../contestants/jobs/contestant.ts'
import { loadJobContestant } from '../../contestants/jobs/registry.ts'
import { startCpuProfile } from '../../harness/cpu-profile.ts'
import type { Round } from '../../harness/protocol.ts'
import { serveWorker } from '../../harness/worker.ts'
import type { JobRequest } from './protocol.ts'

const [name, profileFile] = process.argv.slice(2)
const open = await loadJobContestant(name!)
const fillBatch = 1000
/** How long a job may take to begin. */
const patienceMs = 20_000
let contestant: JobContestant
let workMs = 0
let onRun: (input: JobInput) => void = () => {}
let next = 0
let endProfile: (() => Promise<void>) | undefined

const now = (): number => performance.timeOrigin + performance.now()
const inputs = (count: number): JobInput[] => Array.from({ length: count }, () => ({ n: next++, at: now() }))
const cpuUs = (): number => {
  const { user, system } = process.cpuUsage()
  return user + system
}

async function fill(count: number): Promise<void> {
  for (let left = count; left > 0; left -= fillBatch) await contestant.add(inputs(Math.min(left, fillBatch)))
}

async function add(perTransaction: number, durationMs: number): Promise<Round> {
  const before = cpuUs()
  const began = performance.now()
  const latencies: number[] = []
  let ops = 0
  do {
    const start = performance.now()
    await contestant.addInTransaction!(inputs(perTransaction))
    latencies.push(performance.now() - start)
    ops += perTransaction
  } while (performance.now() - began < durationMs)
  const elapsedMs = performance.now() - began
  return { ops, elapsedMs, latenciesMs: Float64Array.from(latencies), nodeCpuUs: cpuUs() - before }
}

async function drain(durationMs: number): Promise<Round> {
  let ops = 0
  let first = 0
  let last = 0
  const seen = new Set<number>()
  const begun = Promise.withResolvers<void>()
  onRun = ({ n }) => {
    last = performance.now()
    if (ops++ === 0) {
      first = last
      begun.resolve()
    }
    seen.add(n)
  }
  await contestant.start()
  await Promise.race([begun.promise, sleep(patienceMs).then(() => Promise.reject(new Error('no job has begun')))])
  const before = cpuUs()
  const from = ops
  await sleep(durationMs)
  const nodeCpuUs = cpuUs() - before
  const [done, elapsedMs] = [ops - from, last - first]
  await contestant.stop()
  if (seen.size !== ops) throw new Error(`${ops - seen.size} of ${ops} jobs ran twice`)
  return { ops: done, elapsedMs, latenciesMs: new Float64Array([]), nodeCpuUs }
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
      workMs = request.workMs
      contestant = await open({
        ...request.options,
        onRun: (input) => {
          onRun(input)
          return workMs > 0 ? sleep(workMs) : undefined
        },
      })
      return undefined
    case 'fill':
      return fill(request.count)
    case 'add':
      return add(request.perTransaction, request.durationMs)
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
