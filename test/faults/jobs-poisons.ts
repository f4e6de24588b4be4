import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, vi } from 'vitest'
import type { JobHandle } from '../../src/jobs/index.ts'
import { waits, type WorkerProcess } from './jobs-worker-process.ts'
import type { Poison } from './jobs-worker-talk.ts'

/** How a poison ends its process. */
export const ends: readonly Poison['ends'][] = ['exit', 'kill']

/** A job that ends its worker with its first line, before anybody can be told that it has begun: it notes its run in a file. */
export function makePoison(how: Poison['ends']): Poison {
  const folder = mkdtempSync(join(tmpdir(), 'plimsoll-poison-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  return { file: join(folder, 'runs'), ends: how }
}

/** The processes that it has run in. */
function ranIn({ file }: Poison): readonly number[] {
  return existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n').map(Number) : []
}

/** Who sees it. */
interface Poisoning {
  readonly poison: Poison
  readonly handle: JobHandle
  start(): Promise<WorkerProcess>
}

/** Starts workers beside each other until it is in quarantine, where it comes to after three runs. */
export async function poisonThree({ poison, handle, start }: Poisoning): Promise<void> {
  const over = Promise.withResolvers<void>()
  const end = new AbortController()
  const workers = [0, 1].map(async () => {
    while (!end.signal.aborted) {
      // It may have died before it has said that it works.
      const worker = await start().catch(() => undefined)
      if (worker !== undefined) await Promise.race([worker.gone, over.promise])
    }
  })
  await vi.waitFor(async () => expect((await handle.status())!.state).toBe('quarantined'), waits)
  end.abort()
  over.resolve()
  await Promise.all(workers)
  expect(await handle.status()).toMatchObject({ attempts: 0, deaths: 3, error: { name: 'WorkerDied' } })
  expect(ranIn(poison)).toHaveLength(3)
}
