import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { failureOf } from '../../drivers/jobs.ts'
import { engines, open, recorder } from './open.ts'

describe.each(engines)('what is recorded at once, on %s', (engine) => {
  test('is carried after the commit, together, but for what a savepoint has undone', async () => {
    const { postgres, outbox, recorded } = await open(engine)
    const lines: string[] = []
    outbox.carry('thing', recorder(lines))
    await postgres.transaction(async (transaction) => {
      await outbox.record(transaction, 'thing', ['a', 'a'])
      const undone = transaction.transaction(async (savepoint) => {
        await outbox.record(savepoint, 'thing', ['undone'])
        throw new Error('undo')
      })
      await expect(undone).rejects.toThrow('undo')
      await outbox.record(transaction, 'thing', ['b'])
      await outbox.record(transaction, 'thing', [])
      expect(lines).toEqual([])
    })
    expect(lines).toEqual(['a,a,b'])
    await expect.poll(recorded).toEqual([])
  })

  test('is nobody’s when the transaction is rolled back, and the relay’s when it cannot be carried', async () => {
    const { postgres, outbox, recorded } = await open(engine)
    const failing = postgres.transaction(async (transaction) => {
      await outbox.record(transaction, 'thing', ['undone'])
      throw new Error('undo')
    })
    await expect(failing).rejects.toThrow('undo')
    await postgres.transaction((transaction) => outbox.record(transaction, 'thing', ['left', 'right']))
    expect(await recorded()).toEqual(['thing left,right'])
    expect(await outbox.pending('thing', ['no', 'ri'])).toEqual(['right'])
    expect(await outbox.pending('other', ['ri'])).toEqual([])
    const lines: string[] = []
    outbox.carry('thing', recorder(lines))
    await expect.poll(() => lines).toEqual(['left,right late'])
  })

  test('may be so where what is noted is not durable', async () => {
    const { postgres, outbox, recorded } = await open(engine, { durable: false, records: true })
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    onTestFinished(() => warn.mockRestore())
    outbox.carry('noted', () => Promise.reject(new Error('It is lost.')))
    await postgres.transaction(async (transaction) => {
      outbox.note(transaction, 'noted', ['a'])
      await outbox.record(transaction, 'thing', ['b'])
    })
    expect(warn.mock.calls.map(([text]) => text)).toEqual([expect.stringContaining('It is lost.')])
    expect(await recorded()).toEqual(['thing b'])
    const lines: string[] = []
    outbox.carry('thing', recorder(lines))
    await expect.poll(() => lines).toEqual(['b late'])
    await expect.poll(recorded).toEqual([])
    await postgres.transaction((transaction) => outbox.record(transaction, 'thing', ['c']))
    expect(lines).toEqual(['b late', 'c'])
  })

  test('needs an outbox that is durable', async () => {
    const { postgres, outbox } = await open(engine, { durable: false })
    const failure = await failureOf(postgres.transaction((own) => outbox.record(own, 'thing', ['a'])))
    expect(failure.code).toBe('PLIMSOLL_OPTION_INVALID')
  })
})
