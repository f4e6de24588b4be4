import { describe, expect, test } from 'vitest'
import { purgedStore } from '../../../src/app/purged-store.ts'
import type { PlimsollError } from '../../../src/core/errors.ts'
import { fileExists, storageUnreachable } from '../../../src/files/file-errors.ts'
import type { FileStore } from '../../../src/files/index.ts'

/** A store whose calls end with an error, and the tags that are purged. */
function setup(failure: PlimsollError) {
  const fails = async (): Promise<never> => {
    throw failure
  }
  const store = { put: fails, copy: fails, compose: fails, delete: fails, uploads: { complete: fails } }
  const purged: string[] = []
  const {
    put,
    copy,
    compose,
    delete: remove,
    uploads,
  } = purgedStore(store as unknown as FileStore, async (tags) => {
    purged.push(...tags)
  })
  const calls = {
    put: () => put('a', Buffer.from('a')),
    copy: () => copy('b', 'a'),
    compose: () => compose(['b', 'c'], 'a'),
    delete: () => remove(['a']),
    complete: () => uploads.complete({ key: 'a', id: '1' }, []),
  }
  return { calls: Object.entries(calls), purged }
}

describe('a change of the store', () => {
  test('that may be done, though its answer was lost, is purged', async () => {
    const error = storageUnreachable('s3://bucket', { reason: 'It did not answer.', cause: undefined })
    const { calls, purged } = setup(error)
    for (const [name, change] of calls) {
      await expect(change(), name).rejects.toBe(error)
      expect([name, ...purged.splice(0)]).toEqual([name, 'files:a'])
    }
  })

  test('that was refused has changed nothing, and purges nothing', async () => {
    const { calls, purged } = setup(fileExists('a'))
    for (const [name, change] of calls) await expect(change(), name).rejects.toThrow('is there already')
    expect(purged).toEqual([])
  })
})
