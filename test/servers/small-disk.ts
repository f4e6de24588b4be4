import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/** Why a small file system cannot be mounted; undefined when it can. */
export function missingSmallDisk(): string | undefined {
  if (process.getuid?.() !== 0) return 'only root may mount a small disk'
  const folder = mkdtempSync(join(tmpdir(), 'plimsoll-mounts-'))
  try {
    mount(folder, 1)
    execFileSync('umount', [folder])
    return undefined
  } catch {
    return 'nothing can be mounted here'
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** A folder that is a disk of so many megabytes, in memory, until the test ends. */
export function smallDisk(megabytes: number): string {
  const folder = mkdtempSync(join(tmpdir(), 'plimsoll-small-'))
  mount(folder, megabytes)
  onTestFinished(() => {
    execFileSync('umount', ['--lazy', folder])
    rmSync(folder, { recursive: true, force: true })
  })
  return folder
}

function mount(folder: string, megabytes: number): void {
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', folder], { stdio: 'ignore' })
}
