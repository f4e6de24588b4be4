import { setTimeout } from 'node:timers/promises'

/** Waits so many ms, or until `wakes` is aborted. @throws the reason of `signal`, which is one of those that abort `wakes` */
export async function pause(ms: number, signal: AbortSignal, wakes: AbortSignal = signal): Promise<void> {
  await setTimeout(ms, undefined, { signal: wakes }).catch(() => signal.throwIfAborted())
}
