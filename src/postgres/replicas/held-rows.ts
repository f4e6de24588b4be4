import type { RowSink } from '../contract.ts'

/** Rows that are kept until it is certain that they are the answer. */
export class HeldRows {
  readonly #chunks: Buffer[] = []
  readonly #bounds: number[] = []

  /** Takes a row; bound, so that it can be handed over as a sink. */
  readonly sink: RowSink = (chunk, start, end) => {
    this.#chunks.push(chunk)
    this.#bounds.push(start, end)
  }

  /** Hands all rows over, in the order they came. */
  deliver(sink: RowSink | undefined): void {
    if (sink === undefined) return
    for (let i = 0; i < this.#chunks.length; i++) sink(this.#chunks[i]!, this.#bounds[2 * i]!, this.#bounds[2 * i + 1]!)
  }
}
