import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The root of the checkout. */
export const root: string = fileURLToPath(new URL('../../../', import.meta.url))

/** Every file of the checkout that git knows or would take, as paths from the root. */
export function trackedFiles(): readonly string[] {
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
  })
  return listed.split('\0').filter((path) => path !== '' && existsSync(join(root, path)))
}

/** The text of a file of the checkout. */
export function textOf(path: string): string {
  return readFileSync(join(root, path), 'utf8')
}
