import type { RowSink } from './contract.ts'

/** Rows kept as the bytes they came in: they have to wait, for their children or until it is certain that they are the answer. */
export class RawRows {
  readonly #chunks: Buffer[] = []
  readonly #bounds: number[] = []

  /** Takes a row; bound, so that it can be handed over as a sink. */
  readonly sink: RowSink = (chunk, start, end) => {
    this.#chunks.push(chunk)
    this.#bounds.push(start, end)
  }

  get length(): number {
    return this.#chunks.length
  }

  /** Calls `visit` for the rows from `from` up to, not including, `to`, in order. */
  each(visit: RowSink, from = 0, to: number = this.length): void {
    for (let i = from; i < to; i++) visit(this.#chunks[i]!, this.#bounds[2 * i]!, this.#bounds[2 * i + 1]!)
  }

  clear(): void {
    this.#chunks.length = 0
    this.#bounds.length = 0
  }
}
