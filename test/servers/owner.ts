import { execFileSync } from 'node:child_process'
import { chownSync, statSync } from 'node:fs'

/** Who a server runs as; empty for ourselves. */
export interface Owner {
  readonly uid?: number
  readonly gid?: number
}

/** PostgreSQL and its pooler refuse to run as root: then they run as the user of their package, who is given the folder. */
export function ownerOf(folder: string): Owner {
  if (process.getuid?.() !== 0) return {}
  const id = (flag: string): number => Number(execFileSync('id', [flag, 'postgres']))
  const user = { uid: id('-u'), gid: id('-g') }
  chownSync(folder, user.uid, user.gid)
  if (statSync(folder).uid !== user.uid) throw new Error(`${folder} cannot be given to the user postgres.`)
  return user
}
