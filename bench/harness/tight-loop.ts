import type { Round } from './protocol.ts'

const batch = 1000

/**
 * Runs `operation` one after the other for so long, for operations that are too short to time one by one: the clock is read
 * once in a thousand of them, and a latency is the mean of those. Between the batches timers and sockets have their turn, off
 * the clock.
 */
export async function runTightLoop(
  operation: (sequence: number) => Promise<unknown>,
  { durationMs }: { readonly durationMs: number },
): Promise<Omit<Round, 'nodeCpuUs'>> {
  const latenciesMs: number[] = []
  let elapsedMs = 0
  let sequence = 0
  while (elapsedMs < durationMs) {
    const start = performance.now()
    for (let i = 0; i < batch; i++) await operation(sequence++)
    const tookMs = performance.now() - start
    elapsedMs += tookMs
    latenciesMs.push(tookMs / batch)
    await new Promise((resolve) => setImmediate(resolve))
  }
  return { ops: sequence, elapsedMs, latenciesMs: Float64Array.from(latenciesMs) }
}
