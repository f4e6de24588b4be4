import { spawnSync } from 'node:child_process'

/**
 * Installs Debian packages where that is allowed: as root, with apt-get at hand. Whoever needs them looks for what they
 * bring afterwards. Called once, before any test file runs, because apt-get works for one caller at a time.
 */
export function installPackages(names: readonly string[]): void {
  if (names.length === 0 || process.getuid?.() !== 0 || spawnSync('apt-get', ['--version']).status !== 0) return
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  spawnSync('apt-get', ['update', '-q'], { env, stdio: 'ignore' })
  spawnSync('apt-get', ['install', '-y', '-q', '--no-install-recommends', ...names], { env, stdio: 'ignore' })
}

/** Says which package is missing: an error in CI, where nothing is skipped, elsewhere a warning. */
export function reportMissing(program: string, debianPackage: string): string {
  const advice = `${program} is not installed (Debian: apt-get install ${debianPackage})`
  if (process.env['CI']) throw new Error(`${advice}; CI runs no test without it.`)
  console.warn(`${advice}; every test that needs it is skipped.`)
  return advice
}
