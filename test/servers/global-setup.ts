import type { TestProject } from 'vitest/node'
import { findBrowser } from '../e2e/browser.ts'
import { installPackages } from './debian.ts'
import { findPgBouncer } from './pgbouncer.ts'
import { findPostgres, startPostgres } from './postgres.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** The PostgreSQL of the test run; '' when there is none. */
    postgresUrl: string
  }
}

/** One PostgreSQL for the whole run: every test file makes databases of its own on it. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const needed = [
    { package: 'postgresql', found: findPostgres() },
    { package: 'pgbouncer', found: findPgBouncer() },
    { package: 'chromium', found: findBrowser() },
  ]
  installPackages(needed.filter(({ found }) => found === undefined).map((need) => need.package))
  const server = await startPostgres()
  project.provide('postgresUrl', server?.url ?? '')
  return async () => {
    await server?.stop()
  }
}
