import type { Postgres, Transaction, WriteWatcher } from '../postgres/index.ts'
import type { BumpChannel } from './bump-channel.ts'

/** What a carrier is told beside the items. */
export interface CarryInfo {
  /** True when not the writer's own process carries them right after its commit: a relay, or a drain. */
  readonly late: boolean
  /** True when all other processes were told by the commit itself: see {@link OutboxOptions.channel}. */
  readonly announced: boolean
  /** True when they are recorded until they have been carried: what fails here comes again. */
  readonly recorded: boolean
}

/**
 * Carries out effects: bumps tags, relays jobs. May be called more than once for the same items, and by several processes at a
 * time; what it has carried once it carries again without harm. It is given 30 s.
 */
export type Carrier = (items: readonly string[], info: CarryInfo) => Promise<void>

/** What a write has done: its result, and the tags of what it changed. */
export interface WrittenTags<T> {
  readonly result: T
  readonly tags: readonly string[]
}

/** The kind of effect that bumps tags: its items are tags. */
export const bumpKind = 'cache.bump'

/** Effects that are carried out if and only if the transaction that they belong to commits. */
export interface Outbox extends AsyncDisposable {
  /** True when effects are recorded in the database with their transaction, and survive a crash. */
  readonly durable: boolean

  /**
   * Registers who carries out the effects of a kind here; several may, and each is given all of them. Returns how to take it
   * back. What no carrier here knows is left to other processes.
   */
  carry(kind: string, carrier: Carrier): () => void

  /**
   * Has `items` carried out after the outermost transaction around `transaction` has committed, each once however often it is
   * noted, and before the caller of that transaction learns of the commit. Kept when the savepoint that notes it is rolled back.
   *
   * @throws PLIMSOLL_TRANSACTION_CLOSED
   */
  note(transaction: Transaction, kind: string, items: readonly string[]): void

  /**
   * Records `items` at once, in `transaction`: undone with it, also when it is a savepoint that is rolled back. After the commit, and before
   * the caller of the transaction learns of it, what is there then is carried out. It needs an outbox that is durable, or `records`.
   *
   * @throws PLIMSOLL_OPTION_INVALID when it is not; the errors of the database
   */
  record(transaction: Transaction, kind: string, items: readonly string[]): Promise<void>

  /**
   * The recorded items of `kind` that contain one of the texts and have not been carried out yet: those that are committed, and those of
   * the transaction that the caller runs in.
   */
  pending(kind: string, texts: readonly string[]): Promise<readonly string[]>

  /**
   * Runs `work`, a write on what it is handed, and has the tags that it resolves with bumped after its commit, before its
   * caller learns of that. It joins `within`, or the transaction that the caller runs in; outside of one it gets a transaction of
   * its own when effects are durable or announced. `worst` are the tags when the outcome of the write is lost with its connection. Work that
   * rejects has changed nothing; work of several statements opens a transaction or savepoint of its own.
   */
  write<T>(
    work: (executor: Postgres | Transaction) => Promise<WrittenTags<T>>,
    worst: readonly string[],
    within?: Transaction,
  ): Promise<T>

  /** Bumps the tags that `tagsOf` reads from the texts of statements that nobody else reports; for `Postgres.watchWrites`. */
  watcher(tagsOf: (text: string) => readonly string[]): WriteWatcher

  /**
   * Carries everything of `kind` that is recorded and committed now, whoever else is about to, and resolves when it is done;
   * to `carrier`, by default to those that are registered. Resolves to the number of effects. What cannot be carried stays recorded.
   *
   * @throws what the carrier throws, and the errors of the database
   */
  drain(kind: string, carrier?: Carrier): Promise<number>

  /** Ends the relay, and waits for what it carries now. What is noted later is still recorded, for other processes. */
  close(): Promise<void>
}

/** The options of `openOutbox`. */
export interface OutboxOptions {
  readonly postgres: Postgres
  /**
   * True records effects in the table `plimsoll.outbox`, which is made when it is missing. False is for effects that mean nothing
   * once this process has ended: they are carried out after the commit, and not recorded.
   */
  readonly durable: boolean
  /** True lets `record` record effects, also where those that are noted are not durable. Default: as `durable`. */
  readonly records?: boolean | undefined
  /**
   * Where every process hears what the others bump: bumps that are not durable leave with their COMMIT on it. What triggers record
   * is carried all the same. Default: none.
   */
  readonly channel?: BumpChannel | undefined
  /**
   * Kinds of effects that are given the tags of every write too, such as purges of a CDN. They are always recorded with their transaction, and
   * nobody waits for them: half a second after the write relays carry them, together with those of other writes. Default: none.
   */
  readonly copies?: readonly string[] | undefined
  /** How often the relay looks for what a crashed process has left, in milliseconds, give or take a quarter. Default 5000. */
  readonly pollMs?: number | undefined
}
