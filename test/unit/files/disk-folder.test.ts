import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { syncFolder } from '../../../src/files/drivers/disk/disk-folder.ts'

test('a folder that many have written to disk at once is, or all of them are told why not', async () => {
  const root = await mkdtemp(join(tmpdir(), 'plimsoll-sync-'))
  try {
    const folder = join(root, 'new')
    const many = (): Promise<PromiseSettledResult<void>[]> =>
      Promise.allSettled(Array.from({ length: 20 }, () => syncFolder(folder)))
    for (const one of await many()) expect(one).toMatchObject({ status: 'rejected', reason: { code: 'ENOENT' } })
    await mkdir(folder)
    for (const one of await many()) expect(one.status).toBe('fulfilled')
    // Who comes while one is under way waits for the next, which sees what was done before it was asked for.
    const first = syncFolder(folder)
    await rm(folder, { recursive: true })
    const next = syncFolder(folder)
    await first.catch(() => {})
    await expect(next).rejects.toMatchObject({ code: 'ENOENT' })
  } finally {
    await rm(root, { recursive: true, force: true })
  }
})
