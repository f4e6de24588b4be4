import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { PrimaryPosition } from '../../../src/postgres/replicas/primary-position.ts'
import type { RunTarget } from '../../../src/postgres/session/execute.ts'

interface Log extends RunTarget {
  /** The texts of all statements. */
  readonly texts: string[]
  readonly asked: number
  answer(): Promise<void>
  fail(): Promise<void>
}

/**
 * A primary whose log grows by one with every question, all of it flushed, or stays as it is with nothing flushed; it answers when
 * it is told to.
 */
function growingLog({ idle = false } = {}): Log {
  const open: Parameters<RunTarget['submit']>[0][] = []
  const primary = {
    texts: [] as string[],
    get asked(): number {
      return primary.texts.length
    },
    submit(run: Parameters<RunTarget['submit']>[0]): void {
      primary.texts.push(run.text)
      open.push(run)
    },
    cancel(): void {},
    async answer(): Promise<void> {
      for (const run of open.splice(0)) {
        const lsn = `0/${idle ? '9' : primary.asked.toString(16)}`
        const row = dataRow(['000000010000000000000001', lsn, '0', idle ? '0/1' : lsn])
        run.sink?.(row, 0, row.length)
        run.succeed()
      }
      await new Promise(setImmediate)
    },
    async fail(): Promise<void> {
      for (const run of open.splice(0)) run.fail(new Error('The connection was lost.'))
      await new Promise(setImmediate)
    },
  }
  return primary
}

function dataRow(columns: readonly string[]): Buffer {
  const count = Buffer.alloc(2)
  count.writeInt16BE(columns.length)
  const parts = columns.flatMap((text) => {
    const length = Buffer.alloc(4)
    length.writeInt32BE(text.length)
    return [length, Buffer.from(text)]
  })
  return Buffer.concat([count, ...parts])
}

const at = (lsn: number): string => `00000001${lsn.toString(16).toUpperCase().padStart(16, '0')}`

describe('the position of the primary', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }))
  afterEach(() => void vi.useRealTimers())

  test('is asked for once by all who ask in one turn, and again by those who ask later', async () => {
    const primary = growingLog()
    const position = new PrimaryPosition(primary)
    const early = [position.position(), position.position()]
    await Promise.resolve()
    const late = position.position()
    expect(primary.asked).toBe(2)
    await primary.answer()
    expect(await Promise.all([...early, late])).toEqual([at(2), at(2), at(2)])
  })

  test('of a while ago is the oldest that is young enough, and none that is too old', async () => {
    const primary = growingLog()
    const position = new PrimaryPosition(primary)
    const first = position.since(1000)
    await primary.answer()
    expect(await first).toBe(at(1))
    vi.advanceTimersByTime(200)
    expect(position.since(1000)).toBe(at(1))
    expect(primary.asked).toBe(1)
    vi.advanceTimersByTime(200)
    // The newest is older than a quarter of the time: another one is fetched for those who come later.
    expect(position.since(1000)).toBe(at(1))
    expect(primary.asked).toBe(2)
    expect(position.since(1000)).toBe(at(1))
    expect(primary.asked).toBe(2)
    await primary.answer()
    vi.advanceTimersByTime(500)
    expect(position.since(1000)).toBe(at(1))
    vi.advanceTimersByTime(200)
    expect(position.since(1000)).toBe(at(2))
    await primary.answer()
    vi.advanceTimersByTime(5000)
    const again = position.since(1000)
    expect(again).toBeInstanceOf(Promise)
    await primary.answer()
    expect(await again).toBe(at(primary.asked))
  })

  test('is flushed when it stands still and is not, since replicas are sent nothing else', async () => {
    const primary = growingLog({ idle: true })
    const position = new PrimaryPosition(primary)
    for (let question = 0; question < 2; question++) {
      void position.position()
      await primary.answer()
      vi.advanceTimersByTime(100)
    }
    expect(primary.texts.map((text) => text.includes('txid_current'))).toEqual([false, false, true])
  })

  test('of the latest commit is asked for only when it did not come with the commit', async () => {
    const primary = growingLog()
    const position = new PrimaryPosition(primary)
    const noted = position.noteCommit(primary)
    await primary.answer()
    await noted
    expect(await position.committed()).toBe(at(1))
    expect(primary.asked).toBe(1)
    const lost = position.noteCommit(primary)
    await primary.fail()
    await lost
    const asked = position.committed()
    await primary.answer()
    expect(await asked).toBe(at(3))
    expect(await position.committed()).toBe(at(3))
    expect(primary.asked).toBe(3)
  })

  test('of the latest commit stays unknown for as long as the primary does not answer', async () => {
    const primary = growingLog()
    const position = new PrimaryPosition(primary)
    const lost = position.noteCommit(primary)
    await primary.fail()
    await lost
    for (let attempt = 0; attempt < 2; attempt++) {
      const asked = position.committed()
      asked.catch(() => {})
      await primary.fail()
      await expect(asked).rejects.toThrow('lost')
    }
  })
})
