import { chown, mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { makeWorkFolder } from '../../../src/files/work-folder.ts'

/** A folder for temporary ones, in which some are of two days ago. */
async function setup(old: readonly string[]): Promise<string> {
  const within = await mkdtemp(join(tmpdir(), 'plimsoll-folders-'))
  onTestFinished(() => rm(within, { recursive: true, force: true }))
  const before = new Date(Date.now() - 2 * 86_400_000)
  for (const name of old) {
    await mkdir(join(within, name))
    await writeFile(join(within, name, 'chunk'), '')
    await utimes(join(within, name), before, before)
  }
  return within
}

describe('a folder for work', () => {
  test('is made where those that were left long ago are removed, and no others', async () => {
    const within = await setup(['work-old', 'others-old'])
    await mkdir(join(within, 'work-new'))
    const made = basename(await makeWorkFolder(within, 'work-'))
    expect(await readdir(within)).toEqual(expect.arrayContaining(['others-old', 'work-new', made]))
    expect(await readdir(within)).not.toContain('work-old')
  })

  test.runIf(process.getuid?.() === 0)('leaves another user what is theirs', async () => {
    const within = await setup(['work-theirs'])
    await chown(join(within, 'work-theirs'), 65_534, 65_534)
    await makeWorkFolder(within, 'work-')
    expect(await readdir(join(within, 'work-theirs'))).toEqual(['chunk'])
  })
})
