import type { Run } from '../worker/run-job.ts'
import { Sandbox, SandboxGone } from './sandbox.ts'

/** A process that has nothing to do for so long is ended. */
const idleMs = 60_000
const mostStarts = 3

/**
 * The processes in which a worker runs what is not to run in its own. They are kept for the next run of the same module with the same
 * bound, no more of them than the worker runs jobs at a time, and end with the worker.
 */
export class Sandboxes {
  readonly #most: number
  readonly #all = new Set<Sandbox>()
  /** The one that was used last comes last. */
  readonly #idle = new Map<Sandbox, NodeJS.Timeout>()
  #closed = false

  constructor(options: { readonly most: number }) {
    this.#most = options.most
  }

  /** How many processes there are. */
  get size(): number {
    return this.#all.size
  }

  /** Runs a job in a process; see {@link Sandbox.run}. */
  async run(run: Run): Promise<string | undefined> {
    for (let start = 1; ; start++) {
      run.signal.throwIfAborted()
      const sandbox = this.#take(run)
      try {
        return await sandbox.run(run)
      } catch (error) {
        // One that had ended while it had nothing to do: the job has not begun.
        if (!(error instanceof SandboxGone)) throw error
        if (start === mostStarts) throw error.cause
      } finally {
        this.#keep(sandbox)
      }
    }
  }

  /** Ends all processes, whatever they do; resolves when they have ended. */
  async close(): Promise<void> {
    this.#closed = true
    for (const timer of this.#idle.values()) clearTimeout(timer)
    for (const sandbox of this.#all) sandbox.kill()
    await Promise.all([...this.#all].map(({ ended }) => ended))
  }

  #take({ definition }: Run): Sandbox {
    const { module, memoryBytes } = definition.sandbox!
    const fits = ({ module: of, memoryBytes: bound, fit }: Sandbox): boolean =>
      fit && of === module && bound === memoryBytes
    const kept = [...this.#idle.keys()].findLast(fits)
    if (kept !== undefined) {
      clearTimeout(this.#idle.get(kept))
      this.#idle.delete(kept)
      return kept
    }
    const [oldest] = this.#idle.keys()
    if (this.#all.size >= this.#most && oldest !== undefined) this.#end(oldest)
    const sandbox = new Sandbox({ module, memoryBytes })
    this.#all.add(sandbox)
    void sandbox.ended.then(() => this.#forget(sandbox))
    return sandbox
  }

  #keep(sandbox: Sandbox): void {
    if (!sandbox.fit || this.#closed) {
      this.#end(sandbox)
      return
    }
    const timer = setTimeout(() => this.#end(sandbox), idleMs)
    timer.unref()
    this.#idle.set(sandbox, timer)
  }

  #end(sandbox: Sandbox): void {
    sandbox.kill()
    this.#forget(sandbox)
  }

  #forget(sandbox: Sandbox): void {
    clearTimeout(this.#idle.get(sandbox))
    this.#idle.delete(sandbox)
    this.#all.delete(sandbox)
  }
}
