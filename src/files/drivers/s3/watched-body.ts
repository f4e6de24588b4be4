/** The bytes of a source; `late` is told when nobody has asked for the next ones for `idleMs`, while there are some. */
export async function* watched(
  source: AsyncIterable<Buffer>,
  { idleMs, late }: { readonly idleMs: number; readonly late: () => void },
): AsyncGenerator<Buffer, void, undefined> {
  let timer: NodeJS.Timeout | undefined
  try {
    for await (const chunk of source) {
      timer = setTimeout(late, idleMs).unref()
      yield chunk
      clearTimeout(timer)
    }
  } finally {
    clearTimeout(timer)
  }
}
