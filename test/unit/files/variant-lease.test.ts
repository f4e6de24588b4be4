import { afterEach, expect, test, vi } from 'vitest'
import type { FileStore } from '../../../src/files/contract.ts'
import { madeOnce, mostMakingMs } from '../../../src/files/images/variant-lease.ts'

afterEach(() => void vi.useRealTimers())

test('who makes something for longer than the right to do so holds is told by a typed error', async () => {
  vi.useFakeTimers()
  const store = {
    head: async () => undefined,
    put: async () => ({}),
    get: async () => Promise.reject(new Error('away')),
  } as unknown as FileStore
  const made = madeOnce(
    store,
    'a.webp',
    (signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
  )
  await Promise.all([
    expect(made).rejects.toMatchObject({ code: 'PLIMSOLL_IMAGE_TIMEOUT' }),
    vi.advanceTimersByTimeAsync(mostMakingMs),
  ])
})
