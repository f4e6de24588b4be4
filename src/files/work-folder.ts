import { lstat, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Work changes its folder more often than this. */
const staleMs = 24 * 3_600_000

/** Makes a folder for one piece of work, whose name begins so, and removes those that processes of this user which were killed have left. */
export async function makeWorkFolder(within: string = tmpdir(), begins = 'plimsoll-video-'): Promise<string> {
  await removeStale(within, begins)
  return mkdtemp(join(within, begins))
}

async function removeStale(within: string, begins: string): Promise<void> {
  for (const name of await readdir(within)) {
    if (!name.startsWith(begins)) continue
    const path = join(within, name)
    // Another process may have been quicker, and what another user has left is theirs.
    const found = await lstat(path).catch(() => undefined)
    if (found === undefined || isForeign(found) || Date.now() - found.mtimeMs < staleMs) continue
    // It is there tomorrow still, and no reason not to do today's work.
    await rm(path, { recursive: true, force: true }).catch(() => {})
  }
}

/** True for what belongs to another user, where the system has those. */
function isForeign({ uid }: { readonly uid: number }): boolean {
  return process.getuid !== undefined && uid !== process.getuid()
}
