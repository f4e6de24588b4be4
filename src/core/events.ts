import { channel, type Channel } from 'node:diagnostics_channel'

/** Everything observable, one union. `durationMs` is wall time. Values of parameters are never part of an event. */
export type PlimsollEvent =
  | {
      readonly type: 'statement'
      /** The SQL text with placeholders. */
      readonly text: string
      readonly parameters: number
      /** Rows sent or changed. */
      readonly rows: number
      readonly durationMs: number
      /** The SQLSTATE when the statement failed. */
      readonly error?: string
    }
  | {
      readonly type: 'connection.open'
      readonly purpose: 'shared' | 'transaction' | 'listen'
      readonly durationMs: number
    }
  | {
      readonly type: 'connection.close'
      readonly purpose: 'shared' | 'transaction' | 'listen'
      readonly error?: string
    }
  | { readonly type: 'connection.retry'; readonly attempt: number; readonly delayMs: number; readonly error: string }
  | {
      readonly type: 'transaction'
      readonly outcome: 'commit' | 'rollback'
      readonly attempt: number
      readonly durationMs: number
    }

/** The `node:diagnostics_channel` that carries every {@link PlimsollEvent}; its name is `plimsoll`. */
export const events: Channel<unknown, PlimsollEvent> = channel('plimsoll') as Channel<unknown, PlimsollEvent>

/**
 * Calls `listener` for every event until the returned function is called.
 *
 * @example
 * const stop = observe((event) => { if (event.type === 'statement') console.log(event.text) })
 */
export function observe(listener: (event: PlimsollEvent) => void): () => void {
  const subscriber = (event: unknown): void => listener(event as PlimsollEvent)
  events.subscribe(subscriber)
  return () => {
    events.unsubscribe(subscriber)
  }
}
