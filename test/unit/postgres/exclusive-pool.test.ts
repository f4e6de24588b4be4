import { expect, test } from 'vitest'
import { ExclusivePool } from '../../../src/postgres/pool/exclusive-pool.ts'
import type { SessionOpener } from '../../../src/postgres/session/session-opener.ts'
import type { Session } from '../../../src/postgres/session/session.ts'

test('a session that was still being opened when the pool was cut is ended, and nobody gets it', async () => {
  const opened = Promise.withResolvers<Session>()
  const ended: string[] = []
  const session = { closed: false, destroy: () => void ended.push('destroyed') } as unknown as Session
  const settings = { transactionWaitMs: 1000, maxTransactions: 2 }
  const pool = new ExclusivePool({ settings, open: () => opened.promise } as unknown as SessionOpener)
  const acquired = pool.acquire()
  const closed = pool.close()
  pool.cut()
  opened.resolve(session)
  await expect(acquired).rejects.toMatchObject({ code: 'PLIMSOLL_DATABASE_CLOSED' })
  expect(ended).toEqual(['destroyed'])
  await closed
})
