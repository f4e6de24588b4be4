import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { installPackages } from '../../test/servers/debian.ts'

/**
 * The path of a server's program; installs its Debian package first where it is missing and that is allowed: as root, with
 * apt-get at hand.
 *
 * @throws when there is none, naming the package.
 */
export function findProgram(name: string, debianPackage: string): string {
  return requireInstalled(() => findOnPath(name), { name, debianPackage })
}

/** What `find` comes to, before or after an attempt to install the package. @throws when both come to nothing. */
export function requireInstalled(
  find: () => string | undefined,
  { name, debianPackage }: { readonly name: string; readonly debianPackage: string },
): string {
  if (find() === undefined) installPackages([debianPackage])
  const found = find()
  if (found !== undefined) return found
  throw new Error(`${name} is not installed. Install it (Debian: apt-get install ${debianPackage}).`)
}

/** Debian keeps some servers in folders that are on root's PATH only. */
function findOnPath(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/bin', '/usr/sbin']
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path))
}
