const signals = ['SIGINT', 'SIGTERM'] as const

/**
 * Calls `close` at the first SIGTERM or SIGINT; a second one, of either kind, ends the process at once. When `close` fails, the
 * process ends with code 1. Returns what takes the handlers away again.
 */
export function closeOnSignals(close: () => Promise<void>): () => void {
  const forget = (): void => {
    for (const signal of signals) process.off(signal, onSignal)
  }
  const onSignal = (): void => {
    // Without a handler the next signal does what it does to any process.
    forget()
    close().catch((error: unknown) => {
      console.error('The service did not close in order:', error)
      // Nobody is left to try again, and what is still open would keep the process.
      process.exit(1)
    })
  }
  for (const signal of signals) process.on(signal, onSignal)
  return forget
}
