import type { Round } from './protocol.ts'

/**
 * Runs `operation` again and again with so many at once, starting none after `durationMs`; the round ends with the last of
 * them. `sequence` counts the operations, so that every contestant is asked for the same ids.
 */
export async function runClosedLoop(
  operation: (sequence: number) => Promise<unknown>,
  options: { readonly concurrency: number; readonly durationMs: number },
): Promise<Omit<Round, 'nodeCpuUs'>> {
  const latenciesMs: number[] = []
  let sequence = 0
  const start = performance.now()
  const deadline = start + options.durationMs
  const loop = async (): Promise<void> => {
    for (let now = performance.now(); now < deadline;) {
      await operation(sequence++)
      const end = performance.now()
      latenciesMs.push(end - now)
      now = end
    }
  }
  await Promise.all(Array.from({ length: options.concurrency }, loop))
  return { ops: latenciesMs.length, elapsedMs: performance.now() - start, latenciesMs: Float64Array.from(latenciesMs) }
}

/** The post that the n-th W1 asks for: all over the table, the same for every contestant. */
export const postIdAt = (sequence: number): number => 1 + ((sequence * 48_271) % 100_000)
