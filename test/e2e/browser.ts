import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chromium, type Browser } from 'playwright-core'

const places = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

/** Why there is no browser, or undefined when there is one (installed now, where that is allowed). */
export function missingBrowser(): string | undefined {
  if (findBrowser()) return undefined
  const isRoot = process.getuid?.() === 0
  if (isRoot && existsSync('/usr/bin/apt-get')) {
    execFileSync('apt-get', ['update'], { stdio: 'ignore' })
    execFileSync('apt-get', ['install', '--yes', '--no-install-recommends', 'chromium'], { stdio: 'ignore' })
    if (findBrowser()) return undefined
  }
  const reason = "no Chromium found: install Debian's package chromium, or name a browser in CHROMIUM_PATH"
  if (process.env['CI']) throw new Error(reason)
  console.warn(`test/e2e skipped: ${reason}`)
  return reason
}

/** Opens the browser without a window; it asks nobody for updates and stores nothing that outlives it. */
export function openBrowser(): Promise<Browser> {
  const quiet = ['--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']
  return chromium.launch({
    executablePath: findBrowser()!,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', ...quiet],
  })
}

function findBrowser(): string | undefined {
  return [process.env['CHROMIUM_PATH'] ?? '', ...places].find((path) => path !== '' && existsSync(path))
}
