import { expect, test } from 'vitest'
import { Carriers } from '../../../src/outbox/carriers.ts'
import { TransactionEffects } from '../../../src/outbox/effects.ts'
import type { OutboxRows } from '../../../src/outbox/outbox-rows.ts'
import type { Transaction, TransactionOutcome } from '../../../src/postgres/index.ts'

/** A transaction that records one effect and ends; what was carried, and which rows were given up. */
async function endWith(outcome: TransactionOutcome): Promise<{ carried: string[]; forgotten: string[] }> {
  const hooks: { leave?: () => unknown; end?: (outcome: TransactionOutcome) => unknown } = {}
  const root = {
    beforeCommit: (hook: () => unknown) => void (hooks.leave = hook),
    afterEnd: (hook: (outcome: TransactionOutcome) => unknown) => void (hooks.end = hook),
  } as unknown as Transaction
  const carried: string[] = []
  const forgotten: string[] = []
  const rows = {
    insertion: (_kind: string, _items: readonly string[], inserted: (id: string) => void) => inserted('7'),
    carried: (ids: readonly string[]) => void forgotten.push(...ids),
  } as unknown as OutboxRows
  const carriers = new Carriers()
  carriers.add('cache.bump', async (items) => void carried.push(...items))
  const effects = new TransactionEffects(root, {
    carriers,
    rows,
    channel: undefined,
    copies: undefined,
    refused: () => {},
  })
  effects.note('cache.bump', ['posts'])
  await hooks.leave!()
  await hooks.end!(outcome)
  return { carried, forgotten }
}

test('effects of a commit are carried and forgotten, of a rollback neither', async () => {
  expect(await endWith('commit')).toEqual({ carried: ['posts'], forgotten: ['7'] })
  expect(await endWith('rollback')).toEqual({ carried: [], forgotten: [] })
})

test('effects of a commit that may still be under way are carried, and kept to be carried again after it', async () => {
  expect(await endWith('unknown')).toEqual({ carried: ['posts'], forgotten: [] })
})
