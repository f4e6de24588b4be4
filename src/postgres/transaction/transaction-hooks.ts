import type { CommitHook, CommitItems, Transaction, TransactionOutcome } from '../contract.ts'

type EndHook = (outcome: TransactionOutcome) => void | Promise<void>

/** What is to happen around the end of one outermost transaction; made with the first hook that asks for it. */
export class TransactionHooks {
  readonly #before: CommitHook[] = []
  readonly #after: EndHook[] = []

  beforeCommit(hook: CommitHook): void {
    this.#before.push(hook)
  }

  afterEnd(hook: EndHook): void {
    this.#after.push(hook)
  }

  /** Runs the hooks before the commit, those too that are added meanwhile; what is to leave with it. */
  async departing(transaction: Transaction): Promise<CommitItems> {
    const items: CommitItems[number][] = []
    for (let at = 0; at < this.#before.length; at++) items.push(...((await this.#before[at]!(transaction)) ?? []))
    return items
  }

  get afterEndHooks(): readonly EndHook[] {
    return this.#after
  }
}
