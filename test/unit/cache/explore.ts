import { vi } from 'vitest'
import type { Turn } from './model-store.ts'

/** One run: its actors, started at once, whose steps wait for their turn. */
export interface Run {
  readonly actors: readonly Promise<void>[]
  /** Steps that can come at any time, such as an eviction: each is taken once, or never. */
  readonly events?: readonly { readonly name: string; readonly happen: () => void }[]
}

interface Waiting {
  readonly name: string
  readonly go: () => void
}

/**
 * Runs `start` once for every order in which its steps can come, or for `samples` orders drawn by chance. Every operation on
 * something shared waits for `turn`; whenever all actors wait, one of them is chosen to go on. Returns how many orders there were.
 */
export async function explore(
  start: (turn: Turn) => Run,
  { samples }: { readonly samples?: { readonly count: number; readonly seed: number } } = {},
): Promise<number> {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] })
  try {
    return samples ? await sample(start, samples) : await everyOrder(start)
  } finally {
    vi.useRealTimers()
  }
}

/** Depth first: each run repeats the choices of the one before up to the last that can still be made otherwise. */
async function everyOrder(start: (turn: Turn) => Run): Promise<number> {
  let path: number[] = []
  for (let orders = 1; ; orders++) {
    const widths: number[] = []
    const taken: number[] = []
    await oneOrder(start, (width) => {
      const choice = path[widths.length] ?? 0
      widths.push(width)
      taken.push(choice)
      return choice
    })
    let last = taken.length - 1
    while (last >= 0 && taken[last]! + 1 >= widths[last]!) last--
    if (last < 0) return orders
    path = [...taken.slice(0, last), taken[last]! + 1]
  }
}

async function sample(
  start: (turn: Turn) => Run,
  { count, seed }: { readonly count: number; readonly seed: number },
): Promise<number> {
  let state = seed
  const random = (width: number): number => {
    state = (state * 1664525 + 1013904223) % 2 ** 32
    return Math.floor((state / 2 ** 32) * width)
  }
  for (let orders = 0; orders < count; orders++) await oneOrder(start, random)
  return count
}

async function oneOrder(start: (turn: Turn) => Run, choose: (width: number) => number): Promise<void> {
  const waiting: Waiting[] = []
  const steps: string[] = []
  const turn: Turn = (name) => new Promise((resolve) => waiting.push({ name, go: resolve }))
  const { actors, events = [] } = start(turn)
  const left = [...events]
  let running = actors.length
  let failure: { readonly error: unknown } | undefined
  for (const actor of actors) {
    actor
      .catch((error: unknown) => (failure ??= { error }))
      .finally(() => running--)
      .catch(() => {})
  }
  for (;;) {
    await quiet()
    if (failure) throw withSteps(failure.error, steps)
    if (running === 0) return
    if (waiting.length === 0) {
      // Somebody waits for a time to pass.
      await vi.advanceTimersByTimeAsync(60)
      continue
    }
    const choice = choose(waiting.length + left.length)
    if (choice < waiting.length) {
      const [next] = waiting.splice(choice, 1)
      steps.push(next!.name)
      next!.go()
    } else {
      const [event] = left.splice(choice - waiting.length, 1)
      steps.push(event!.name)
      event!.happen()
    }
  }
}

/** Resolves when nothing moves any more but what waits for its turn. */
async function quiet(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
}

function withSteps(error: unknown, steps: readonly string[]): unknown {
  if (error instanceof Error) error.message += `\nin the order: ${steps.join(' → ')}`
  return error
}
