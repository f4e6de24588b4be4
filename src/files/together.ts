/**
 * Runs works at the same time. The first failure aborts the signal that they are given, and is thrown when all of them have come to an end.
 */
export async function together(
  signal: AbortSignal | undefined,
  works: readonly ((signal: AbortSignal) => Promise<void>)[],
): Promise<void> {
  const failed = new AbortController()
  const either = signal === undefined ? failed.signal : AbortSignal.any([signal, failed.signal])
  const running = works.map(async (work) => {
    try {
      await work(either)
    } catch (error) {
      failed.abort(error)
    }
  })
  await Promise.all(running)
  failed.signal.throwIfAborted()
}
