import { existsSync } from 'node:fs'
import { chromium, type Browser } from 'playwright-core'
import { reportMissing } from '../servers/debian.ts'

const places = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

/** Why there is no browser, or undefined when there is one. */
export function missingBrowser(): string | undefined {
  return findBrowser() ? undefined : reportMissing('Chromium', 'chromium')
}

/** Opens the browser without a window; it asks nobody for updates and stores nothing that outlives it. */
export function openBrowser(): Promise<Browser> {
  const quiet = ['--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']
  return chromium.launch({
    executablePath: findBrowser()!,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', ...quiet],
  })
}

/** Where the browser is: the one that CHROMIUM_PATH names, or the system's. */
export function findBrowser(): string | undefined {
  return [process.env['CHROMIUM_PATH'] ?? '', ...places].find((path) => path !== '' && existsSync(path))
}
