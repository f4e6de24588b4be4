import { createStatement, type Postgres, type Transaction, readTexts } from '../postgres/index.ts'

/** The setting that names what a statement of ours reports itself, so that the triggers of those tables need not. */
export const ownSetting = 'plimsoll.own'

const setOwn = createStatement(`select set_config('${ownSetting}', $1, true)`, { tracked: true })
const lookForTriggers = createStatement(
  `select 1 from pg_trigger t join pg_proc p on p.oid = t.tgfoid join pg_namespace n on n.oid = p.pronamespace
    where n.nspname = 'plimsoll' limit 1`,
  { prepare: false, tracked: true },
)

/** True when tables have the triggers that record what others write. */
export async function triggersInstalled(postgres: Postgres): Promise<boolean> {
  return (await readTexts(postgres, lookForTriggers)).length > 0
}

/** Marks tracked writes as our own, where tables have triggers that would report them a second time. */
export class OwnMark {
  /**
   * Runs `work` with the mark around its first statement. All three are sent before anything else gets its turn, so the mark
   * covers nobody else's statement; one that it misses is only reported twice.
   */
  async around<T>(
    transaction: Transaction,
    tags: readonly string[],
    work: (executor: Transaction) => Promise<T>,
  ): Promise<T> {
    const set = transaction.execute(setOwn, [tags.join()])
    const working = work(transaction)
    const unset = transaction.execute(setOwn, [''])
    const [, done] = await Promise.allSettled([set, working, unset])
    if (done.status === 'rejected') throw done.reason
    return done.value
  }
}
