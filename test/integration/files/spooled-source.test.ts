import { mkdir, mkdtemp, readdir, readFile, rm, utimes } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { diskStore } from '../../../src/files/drivers/disk/disk-store.ts'
import { withSpooledSource } from '../../../src/files/images/spooled-source.ts'

test('an image that is brought here leaves nothing, and what a process that was killed has left goes with it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'plimsoll-spooled-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  onTestFinished(() => void vi.unstubAllEnvs())
  await using store = diskStore({ folder: join(folder, 'files') })
  await store.put('a.png', Buffer.from('a picture'))
  const spool = join(folder, 'tmp')
  vi.stubEnv('TMPDIR', spool)
  for (const name of ['plimsoll-image-left', 'plimsoll-image-at-work', 'of-others'])
    await mkdir(join(spool, name), { recursive: true })
  const days = new Date(Date.now() - 2 * 86_400_000)
  for (const name of ['plimsoll-image-left', 'of-others']) await utimes(join(spool, name), days, days)
  const read = await withSpooledSource({ store, key: 'a.png', maxBytes: 100 }, ({ file }) => readFile(file, 'utf8'))
  expect(read).toBe('a picture')
  expect((await readdir(spool)).toSorted()).toEqual(['of-others', 'plimsoll-image-at-work'])
})
