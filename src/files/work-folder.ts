import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Work changes its folder more often than this. */
const staleMs = 24 * 3_600_000

/** Makes a folder for one piece of work, whose name begins so, and removes those that processes which were killed have left. */
export async function makeWorkFolder(within: string = tmpdir(), begins = 'plimsoll-video-'): Promise<string> {
  await removeStale(within, begins)
  return mkdtemp(join(within, begins))
}

async function removeStale(within: string, begins: string): Promise<void> {
  for (const name of await readdir(within)) {
    if (!name.startsWith(begins)) continue
    const path = join(within, name)
    // Another process may have been quicker.
    const changed = await stat(path).catch(() => undefined)
    if (changed !== undefined && Date.now() - changed.mtimeMs > staleMs)
      await rm(path, { recursive: true, force: true })
  }
}
