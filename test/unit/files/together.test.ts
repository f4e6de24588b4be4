import { expect, test } from 'vitest'
import { together } from '../../../src/files/together.ts'

test('the first failure aborts what runs beside it, and is thrown when that has ended', async () => {
  const { promise: aborted, resolve } = Promise.withResolvers<void>()
  let ended = false
  const beside = async (signal: AbortSignal): Promise<void> => {
    signal.addEventListener('abort', () => resolve())
    await aborted
    await Promise.resolve()
    ended = true
    throw new Error('because of the other one')
  }
  const failing = () => Promise.reject(new Error('first'))
  await expect(together(undefined, [beside, failing])).rejects.toThrow('first')
  expect(ended).toBe(true)
})

test('the signal of the caller aborts all, and its reason is what they say', async () => {
  const cancelled = new AbortController()
  const waiting = (signal: AbortSignal) =>
    new Promise<void>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  const running = together(cancelled.signal, [waiting, waiting])
  cancelled.abort(new Error('cancelled'))
  await expect(running).rejects.toThrow('cancelled')
})
